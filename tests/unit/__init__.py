"""Tests in this process: no server, no waiting."""
