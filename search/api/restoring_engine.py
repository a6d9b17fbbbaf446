"""The exported file of a model folder, opened in its engine."""

from __future__ import annotations

from pathlib import Path

from evaluators.restore.engine_tiles import EngineRun
from search.models.model import Model
from space.errors import UserError


def engine_run(engine: str, model: Model, named: Model | str) -> EngineRun:
    """The file of the format ``engine`` in the folder that ``named`` is.

    Raises:
        UserError: the engine is unknown, the model is no folder, or it holds no such file.
    """
    from evaluators.export import FORMATS

    if engine not in FORMATS:
        raise UserError(f"--engine must be one of {', '.join(('torch', *FORMATS))}, got {engine!r}")
    folder = Path(named) if isinstance(named, str) else None
    if folder is None or not folder.is_dir():
        raise UserError(
            f"--engine {engine} needs a model folder with an exported file, got {model.name}; export it first"
        )
    kind = FORMATS[engine]
    files = sorted(folder.glob(f"*{kind.suffix}"))
    if not files:
        raise UserError(
            f"--engine {engine} needs a file *{kind.suffix} in {folder}, got none; give: python -m search export "
            f"{folder} --format {engine}"
        )
    return EngineRun(kind.open(files[0]))
