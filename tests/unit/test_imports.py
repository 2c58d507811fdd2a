"""Modules import in one direction: no circle, and in the tap only from layers below."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# From top to bottom. A module imports from lower lines only; those of one line are independent, and
# those of a package may import each other.
LAYERS = [
    ["__main__"],
    ["tap"],
    ["access"],
    ["streams"],
    ["state", "output", "progress"],
    ["client"],
    ["auth", "reading", "config"],
    ["http", "files"],
    ["connection_errors"],
    ["patience", "months", "errors", "schemas"],
]


def list_imports(package: str) -> dict[str, set[str]]:
    """Return the modules of a package, and which of its modules each imports at run time."""
    paths = {
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (PROJECT / package).rglob("*.py")
    }
    return {
        name: {
            module
            for imported in _imported_names(ast.parse(path.read_text("utf-8")))
            if (module := _find_module(imported, paths)) and module != name
        }
        for name, path in paths.items()
    }


def _imported_names(tree: ast.Module) -> set[str]:
    names = set()
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def _find_module(name: str, modules: dict[str, Path]) -> str | None:
    """Return the module that a name is, or is in."""
    return next((item for item in (name, name.rpartition(".")[0]) if item in modules), None)


@pytest.mark.parametrize("package", ["tap_amazon_appstore", "sandbox", "dashboard", "benchmarks"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    order = [*TopologicalSorter(list_imports(package)).static_order()]
    assert len(order) > 1


def test_the_tap_imports_from_lower_layers_only() -> None:
    levels = {name: level for level, names in enumerate(LAYERS) for name in names}
    imports = {
        (name.split(".")[1], imported.split(".")[1])
        for name, modules in list_imports("tap_amazon_appstore").items()
        for imported in modules
        if "." in name and "." in imported
    }
    between = {(name, imported) for name, imported in imports if name != imported}
    assert {name for pair in between for name in pair} - levels.keys() == set()
    assert {pair for pair in between if levels[pair[0]] >= levels[pair[1]]} == set()


def test_the_documentation_has_these_layers() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text("utf-8")
    documented = re.findall(r"^\d+\. (`.*`)$", text, re.MULTILINE)
    assert documented == [", ".join(f"`{name}`" for name in names) for names in LAYERS]
