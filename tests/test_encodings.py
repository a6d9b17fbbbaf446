"""Every text file is read and written in a stated encoding: a machine's own may be another than UTF-8."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("space", "latency_tables", "evaluators", "search", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def unstated(source: str) -> list[int]:
    """Lines that open text without saying its encoding."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    unsaid = (call for call in calls if "encoding" not in {each.arg for each in call.keywords})
    return [call.lineno for call in unsaid if opens_text(call)]


def opens_text(call: ast.Call) -> bool:
    is_method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if is_method else getattr(call.func, "id", "")
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if name == "read_text":
        return is_method and not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name == "fdopen" or (name == "open" and not is_method):
        return not any("b" in text for text in texts[-1:])
    if name == "open":  # of a path: with a mode, for others have a method of this name
        return bool(texts) and set(texts[0]) <= set("rwax+t")
    is_process = name in ("run", "Popen", "check_output")
    return is_process and bool({"text", "universal_newlines"} & {each.arg for each in call.keywords})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_files_have_an_encoding(path: Path) -> None:
    assert unstated(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("open(p)", 1),
        ("open(p, 'w')", 1),
        ("open(p, 'rb')", 0),
        ("open(p, encoding='utf-8')", 0),
        ("p.read_text()", 1),
        ("p.read_text('utf-8')", 0),
        ("p.write_text(t)", 1),
        ("p.write_text(t, 'utf-8')", 0),
        ("p.open('w')", 1),
        ("p.open('rb')", 0),
        ("Image.open(p)", 0),
        ("os.fdopen(h, 'wb')", 0),
        ("subprocess.run(c, text=True)", 1),
        ("subprocess.run(c, text=True, encoding='utf-8')", 0),
    ],
)
def test_the_check_finds_what_it_is_for(source: str, count: int) -> None:
    assert len(unstated(source)) == count
