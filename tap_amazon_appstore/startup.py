"""Keeps the command from importing what a tap does not use: a third of its start.

The SDK imports for every tap what targets (`joblib`), REST streams (`jsonpath_ng`) and batches
(`upath`, with all of `fsspec`) need. Until one of their functions or classes is called, stand-ins
take their places. Only the installed command does this, and a test fails if the SDK comes to need
them earlier.
"""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType
from typing import Any

DEFERRED = (
    "joblib",
    "jsonpath_ng",
    "jsonpath_ng.ext",
    "packaging.specifiers",
    "packaging.version",
    "upath",
)


class _StandIn(ModuleType):
    """A module that is imported when one of its members is called."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return functools.partial(_call, self.__name__, name)


def defer_imports() -> None:
    """Put the stand-ins in their places."""
    for name in DEFERRED:
        sys.modules.setdefault(name, _StandIn(name))


def _call(module: str, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    for deferred in DEFERRED:
        if isinstance(sys.modules.get(deferred), _StandIn):
            del sys.modules[deferred]
    return getattr(importlib.import_module(module), name)(*args, **kwargs)
