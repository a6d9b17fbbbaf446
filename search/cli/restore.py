"""``restore``: pictures through a network, in tiles that equal the whole picture."""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from evaluators.images.names import escaped_name
from evaluators.restore.restorer import Restorer
from evaluators.restore.tiles import Restored
from latency_tables.cli.console import Console
from search.api.restoring import TORCH, Listener, Restoration, restore
from search.api.restoring_jobs import Job, sized
from search.models.model import Model
from search.models.named import model_named
from search.request.values import task_values
from space.command_line import parse_count
from space.errors import UserError

MOSTLY_HALO = 1.0  # as much work for the halo as for the picture
EVERY_S = 10.0  # between two lines of progress where there is no terminal


def execute(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    scale = parse_count("--scale", options.scale, 1) if options.scale else None
    given = {name: value for name, value in task_values(vars(options)).items() if value is not None}
    sigma = _sigma(given.pop("sigma", None))
    model = model_named(options.model, options.weights, scale, given or None)
    console = None if options.json else Console()
    with _Shown(console, model, options.engine) as listener:
        done = restore(
            options.input,
            options.output,
            model if options.engine == TORCH else options.model,
            mask=options.mask,
            sigma=sigma,
            memory=options.memory,
            tiled_anyway=options.tiled_anyway,
            workers=parse_count("--workers", options.workers, 1, 256),
            overwrite=options.overwrite,
            quality=parse_count("--quality", options.quality, 1, 100),
            engine=options.engine,
            reference=options.reference,
            page=options.page,
            listener=listener,
            held_bytes=0,
        )
    if console is None:
        print(json.dumps(_document(model, done)))
    else:
        _summary(console, done, time.monotonic() - begun)
    return 1 if done.failed else 0


def _sigma(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 255:
        raise UserError(f"--sigma must be the noise's standard deviation, 0 to 255, got {text!r}")
    return value


class _Shown(Listener):
    """What is understood, progress with the time left, and a line for each picture of a few."""

    def __init__(self, console: Console | None, model: Model, engine: str) -> None:
        self._console, self._model, self._engine = console, model, engine
        self._lock = threading.Lock()
        self._total = self._done = 0
        self._begun = self._said = time.monotonic()
        self._progress: Progress | None = None

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def started(self, jobs: tuple[Job, ...], restorer: Restorer) -> None:
        if self._console is None:
            return
        model = self._model
        title = f" ({model.rules.title})" if model.rules is not None else ""
        weights = "" if model.has_weights else "; its weights are only initialised, not trained"
        self._say(f"{model.name}{title}{weights}")
        self._say(restorer.planner.halo.text)
        sizes = [job.size if any(job.size) else sized(job) for job in jobs]
        self._total = sum(width * height for width, height in sizes)
        engine = "torch, fp32" if self._engine == TORCH else self._engine
        pictures = f"{len(jobs)} picture{'s' * (len(jobs) > 1)} of {self._total / 1e6:.1f} megapixels"
        self._say(f"{pictures}, in {engine}, with {restorer.memory_bytes / 1e6:,.0f} MB for each picture at a time")
        self._begun = self._said = time.monotonic()
        if self._console.is_terminal:
            columns = (BarColumn(), TextColumn("{task.completed:.1f} of {task.total:.1f} MP"), TimeRemainingColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.start()
            self._progress.add_task("", total=self._total / 1e6)

    def progressed(self, pixels: int) -> None:
        with self._lock:
            self._done += pixels
            if self._progress is not None:
                self._progress.update(self._progress.task_ids[0], completed=self._done / 1e6)
            elif self._console is not None and time.monotonic() - self._said > EVERY_S:
                self._said = time.monotonic()
                left = (self._said - self._begun) * (self._total / max(1, self._done) - 1)
                self._say(f"{self._done / 1e6:.1f} of {self._total / 1e6:.1f} megapixels, {max(0, left):.0f} s left")

    def finished(self, job: Job, restored: Restored) -> None:
        plan = restored.plan
        tiles = "whole" if plan.count == 1 else f"{plan.count} tiles, {plan.overhead:.0%} more work for the halo"
        width, height = plan.size[0] - plan.extended[0], plan.size[1] - plan.extended[1]
        with self._lock:
            self._say(
                f"{escaped_name(job.path.name)} {width}x{height}: {tiles}; network {restored.network_s * 1e3:,.0f} ms, "
                f"{restored.ms_per_megapixel:,.0f} ms per megapixel; {escaped_name(job.output)}"
            )
            for note in plan.notes:
                self._say(f"  {note}")
            if self._engine != TORCH and plan.overhead > MOSTLY_HALO:
                self._say("  most of that is halo: export the network with a larger --input, or with --input dynamic")

    def failed(self, job: Job, reason: str) -> None:
        with self._lock:
            self._say(f"{escaped_name(job.path.name)} failed: {reason}")

    def _say(self, text: str) -> None:
        if self._console is not None:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _summary(console: Console, done: Restoration, seconds: float) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    if done.restored:
        say(
            f"{len(done.restored)} restored, {done.megapixels:.2f} megapixels in {seconds:.1f} s; network "
            f"{done.network_s:.1f} s, {done.ms_per_megapixel:,.0f} ms per megapixel, halo included; at most "
            f"{done.peak_bytes / 1e6:,.0f} MB taken"
        )
    if done.quality:
        psnr, ssim = (sum(each[place] for each in done.quality.values()) / len(done.quality) for place in (0, 1))
        say(f"{done.metric}: {psnr:.3f} dB, SSIM {ssim:.4f}, on {len(done.quality)} with a reference")
        for path, figures in done.quality.items():
            say(f"  {escaped_name(path.name)} {figures[0]:.3f} dB, {figures[1]:.4f}")
    if done.page is not None:
        say(f"page: {escaped_name(done.page)}")
    if done.failed:
        say(f"{len(done.failed)} failed:")
        for path, reason in done.failed.items():
            say(f"  {escaped_name(path.name)}: {reason}")


def _document(model: Model, done: Restoration) -> dict[str, object]:
    def one(path: Path) -> dict[str, object]:
        restored = done.restored[path]
        plan = restored.plan
        figures = done.quality.get(path)
        return {
            "input": str(path),
            "output": str(done.outputs[path]),
            "size": [plan.size[0] - plan.extended[0], plan.size[1] - plan.extended[1]],
            "tiles": plan.count,
            "halo_overhead": plan.overhead,
            "network_ms": restored.network_s * 1e3,
            "ms_per_megapixel": restored.ms_per_megapixel,
            "notes": list(plan.notes),
            **({"psnr_db": figures[0], "ssim": figures[1]} if figures else {}),
        }

    return {
        "model": model.name,
        "pictures": [one(path) for path in done.restored],
        "failed": {str(path): reason for path, reason in done.failed.items()},
        "peak_bytes": done.peak_bytes,
        "page": None if done.page is None else str(done.page),
    }
