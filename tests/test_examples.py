"""The examples in the docstrings of what the packages export run as they stand."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import search

PACKAGES = ("space", "latency_tables", "evaluators", "search", "reports")
# What README's "From Python" names.
DOCUMENTED = {
    "space.build",
    "search.run",
    "search.confirm",
    "search.load",
    "search.load_model",
    "search.model_named",
    "search.restore",
    "search.write_model",
    "search.Run",
    *(f"search.Run.{name}" for name in vars(search.Run) if not name.startswith("_")),
}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def exported() -> Iterator[tuple[str, object]]:
    """Everything in ``__all__`` of the packages, and the public members of its classes."""
    for package in map(import_module, PACKAGES):
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            yield f"{package.__name__}.{name}", value
            if inspect.isclass(value):
                for inner, member in vars(value).items():
                    if not inner.startswith("_"):
                        yield f"{package.__name__}.{name}.{inner}", member


def examples_of(name: str, value: object) -> doctest.DocTest:
    text = inspect.getdoc(value) if callable(value) or isinstance(value, property) else None
    return doctest.DocTestParser().get_doctest(text or "", {}, name, None, 0)


EXAMPLES = {name: test for name, value in exported() if (test := examples_of(name, value)).examples}


def run_examples(test: doctest.DocTest) -> str:
    """What failed, as ``doctest`` tells it."""
    told: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=told.append, clear_globs=False)
    return "".join(told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the example of ``search.run`` has left its run, which the other examples read."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_examples(EXAMPLES["search.run"]) == ""
    return folder


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"search.run"}))
def test_examples_run_as_they_stand(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert run_examples(EXAMPLES[name]) == ""


def test_every_documented_entry_point_has_an_example() -> None:
    assert EXAMPLES.keys() >= DOCUMENTED
