"""Files that matter are written by ``space.files``: a kill or a full disk never leaves half of one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("space", "latency_tables", "evaluators", "search", "reports")

PLAIN_WRITES = {
    "space/files.py": "the one place that writes",
    "space/logs.py": "a log grows by a line at a time",
    "search/storage/journal.py": "the journal grows by a record at a time",
    "search/storage/lock.py": "a run's owner file is a lock",
    "search/proposers/nni_import.py": "an empty file is a lock",
    "search/workers/one_process.py": "a process's log grows as it writes",
    "latency_tables/measuring/raw_timings.py": "timings grow by a line at a time; a torn one is cut off",
    "latency_tables/measuring/agent.py": "a model in a temporary file of a phone; and standard output",
    "latency_tables/measuring/engines/mnn.py": "a model in a temporary folder",
    "latency_tables/measuring/targets/adb.py": "a model in a temporary folder",
    "evaluators/images/decode.py": "the null device",
    "search/models/folder.py": "a new folder, which takes its name whole",
    "evaluators/export/executorch.py": "a file in a temporary folder, published whole",
    "evaluators/export/litert.py": "a file in a temporary folder, published whole",
    "evaluators/export/mnn_int8.py": "a file in a temporary folder",
    "evaluators/export/ncnn.py": "a file in a temporary folder, published whole",
    "evaluators/export/onnx.py": "a file in a temporary folder, published whole",
    "evaluators/export/pt2.py": "a file in a temporary folder, published whole",
    "search/models/exporting.py": "a file in a temporary folder, published whole",
    "reports/networks/export.py": "results grow by a line at a time; a torn one is taken out",
}
WRITERS = {"write_text", "write_bytes", "copyfile", "copy2", "tofile"}
BUFFERS = {"io.BytesIO()", "io.StringIO()"}
TO_A_BUFFER = {"savefig", "savez", "savez_compressed"}
MODES = {letter + rest for letter in "wax" for rest in ("", "b", "t", "+", "b+")} | {"r+", "r+b"}


def plain_writes(source: str) -> list[str]:
    """Lines and calls that write a file in place."""
    tree = ast.parse(source)
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    in_memory = {ast.unparse(node.targets[0]) for node in assigned if ast.unparse(node.value) in BUFFERS}
    return [
        f"{call.lineno}: {ast.unparse(call)[:80]}"
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _writes(call, in_memory)
    ]


def _writes(call: ast.Call, in_memory: set[str]) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    values = [*call.args, *(each.value for each in call.keywords)]
    named = {each.arg for each in call.keywords}
    if name in ("open", "fdopen"):
        return any(isinstance(value, ast.Constant) and value.value in MODES for value in values)
    if name in ("to_csv", "to_json"):
        return bool(call.args) or "path_or_buf" in named
    if name in TO_A_BUFFER or (name == "save" and (owner == "np" or named & {"format", "quality", "optimize"})):
        return not call.args or ast.unparse(call.args[0]) not in in_memory
    return name in WRITERS or (owner, name) == ("shutil", "copy")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.write_text('a')", True),
        ("open(path, 'w')", True),
        ("path.open(mode='ab')", True),
        ("frame.to_csv(path)", True),
        ("figure.savefig(path, dpi=150)", True),
        ("np.save(path, values)", True),
        ("shutil.copyfile(source, path)", True),
        ("open(path, encoding='utf-8')", False),
        ("frame.to_csv(index=False)", False),
        ("buffer = io.BytesIO(); figure.savefig(buffer, format='png')", False),
        ("file = io.BytesIO(); np.save(file, values)", False),
        ("pool.save(folder)", False),
    ],
)
def test_writes_are_found(source: str, found: bool) -> None:
    assert bool(plain_writes(source)) is found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_written_in_place(package: str) -> None:
    found = {
        path.relative_to(ROOT).as_posix(): plain_writes(path.read_text("utf-8"))
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    assert {name: writes for name, writes in found.items() if writes and name not in PLAIN_WRITES} == {}


def test_every_exception_is_still_one() -> None:
    assert [name for name in PLAIN_WRITES if not plain_writes((ROOT / name).read_text("utf-8"))] == []
