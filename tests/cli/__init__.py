"""Tests of the installed command against the sandbox."""
