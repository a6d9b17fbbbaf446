"""``dashboard``: a run in Optuna's dashboard, where that is installed."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from latency_tables.cli.console import Console
from search.dashboard_view import dashboard_view
from search.storage.run_files import result_of
from search.storage.runs_here import run_folder
from search.storage.study import Study
from space.command_line import parse_count
from space.errors import UserError

HOST = "localhost"


def execute(options: argparse.Namespace) -> int:
    port = parse_count("--port", options.port, 1)
    if port > 65535:
        raise UserError(f"--port must be at most 65535, got {port}")
    folder = run_folder(options.run)
    try:
        from optuna_dashboard import run_server
    except ImportError:
        raise UserError("dashboard needs optuna-dashboard; pip install 'litefront[dashboard]'") from None
    from optuna.artifacts import FileSystemArtifactStore

    study = Study.open(folder, owned=False)
    if study is None:
        raise UserError(f"{folder} must hold a run, got no trials there; see: python -m search list")
    with tempfile.TemporaryDirectory(prefix="litefront-dashboard-") as artifacts:
        storage = dashboard_view(study, result_of(study, folder), folder, Path(artifacts))
        Console().print(
            f"{folder.name} as it stands now: http://{HOST}:{port} (Ctrl-C ends it; start it again for what is new)",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        run_server(storage, host=HOST, port=port, artifact_store=FileSystemArtifactStore(artifacts))
    return 0
