"""Tests of the tap, most of them through the installed command and a sandbox over HTTP."""
