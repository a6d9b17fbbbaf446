"""Imports only point to the left: space, latency_tables, evaluators, search, reports, search.api, search.cli."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ("space", "latency_tables", "evaluators", "search", "reports", "search.api", "search.cli")
FILES = sorted(path for package in ORDER[:5] for path in (ROOT / package).rglob("*.py"))


def room(module: str) -> str | None:
    return next((name for name in reversed(ORDER) if module == name or module.startswith(name + ".")), None)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    own = room(module)
    if module in ("search.__init__", "search.__main__"):  # the doors for programs and for people open what is behind
        return
    allowed = set(ORDER[: ORDER.index(own) + 1])
    assert {room(name) for name in imported(path)} - {None} <= allowed


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("optuna", {"search", "search.cli"}),
        ("pandas", {"reports", "search.api"}),
        (
            "matplotlib",
            {"reports", "search.api", "latency_tables"},
        ),  # a table's own plots of predicted against measured
    ],
)
def test_libraries_stay_in_their_folders(library: str, homes: set[str]) -> None:
    users = {
        room(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in FILES
        if any(name.split(".")[0] == library for name in imported(path))
    }
    assert users <= homes


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_does_not_import_from_another_test(path: Path) -> None:
    """What several share stands in a conftest.py or a module with a name of its own."""
    assert not {name for name in imported(path) if name.startswith("tests.") and ".test_" in name}


def test_space_knows_torch_and_its_files_only() -> None:
    from sys import stdlib_module_names

    names = {name.split(".")[0] for path in FILES if path.is_relative_to(ROOT / "space") for name in imported(path)}
    assert names - set(stdlib_module_names) <= {"space", "torch", "numpy", "safetensors"}


def test_the_wheel_has_every_package_and_no_tests() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    there = {
        ".".join(file.parent.relative_to(ROOT).parts) for top in ORDER[:5] for file in (ROOT / top).rglob("__init__.py")
    }
    assert set(listed) == there
