"""A sandbox of Amazon's Appstore Reporting API, for tests and for trying the tap without Amazon.

It is no part of the tap and never shipped with it. See `Sandbox`; from a shell,
`python -m sandbox COMMAND` runs a command with the settings of a sample account.
"""

from sandbox.accounts import Account
from sandbox.archive import make_csv, make_zip
from sandbox.faults import FAULTS, Fault
from sandbox.request import Request
from sandbox.samples import write_sample_zip
from sandbox.sandbox import Sandbox

__all__ = [
    "FAULTS",
    "Account",
    "Fault",
    "Request",
    "Sandbox",
    "make_csv",
    "make_zip",
    "write_sample_zip",
]
