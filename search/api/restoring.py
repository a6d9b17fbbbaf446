"""Restore pictures with a network: a file or a folder, several at a time, each written whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from evaluators.images.bayer_frames import FILE, load_frames
from evaluators.images.names import escaped_name
from evaluators.restore.frames import restore_frame, write_description
from evaluators.restore.memory import most_taken_bytes, parse_memory, taken_bytes
from evaluators.restore.references import quality_of, references_of
from evaluators.restore.restorer import Restorer, Settings
from evaluators.restore.tiles import Restored
from evaluators.restore.writing import QUALITY, WRITERS
from search.api.restored_page import page_of
from search.api.restoring_engine import engine_run
from search.api.restoring_jobs import Job, jobs_of
from search.models.model import Model
from space.errors import UserError
from space.os_errors import os_error_line
from space.specialists import networks_of

TORCH, RAW = "torch", "raw-denoise"


@dataclass(frozen=True)
class Restoration:
    """What ``restore`` has done: by picture file, where it went and what it took, or why it failed."""

    restored: Mapping[Path, Restored]
    outputs: Mapping[Path, Path]
    failed: Mapping[Path, str]
    peak_bytes: int
    quality: Mapping[Path, tuple[float, float]] = field(default_factory=dict)  # PSNR in dB and SSIM, with references
    metric: str = ""
    page: Path | None = None

    @property
    def megapixels(self) -> float:
        return sum(each.plan.size[0] * each.plan.size[1] for each in self.restored.values()) / 1e6

    @property
    def network_s(self) -> float:
        return sum(each.network_s for each in self.restored.values())

    @property
    def ms_per_megapixel(self) -> float:
        return 1e3 * self.network_s / self.megapixels if self.megapixels else 0.0


class Listener:
    """Whoever shows a restoration to a person; by itself it says nothing. Called from several threads."""

    def started(self, jobs: tuple[Job, ...], restorer: Restorer) -> None: ...
    def progressed(self, pixels: int) -> None: ...
    def finished(self, job: Job, restored: Restored) -> None: ...
    def failed(self, job: Job, reason: str) -> None: ...


class _StoppedError(Exception):
    """The restoration was interrupted."""


def restore(
    input: Path | str,
    output: Path | str,
    model: Model | str,
    *,
    mask: Path | str | None = None,
    sigma: float | None = None,
    memory: str = "1gb",
    tiled_anyway: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    quality: int = QUALITY,
    engine: str = TORCH,
    reference: Path | str | None = None,
    page: bool = False,
    listener: Listener | None = None,
    held_bytes: int | None = None,
) -> Restoration:
    """Restore a picture, or every picture of a folder, with a network.

    Pictures that do not fit ``memory`` are cut into tiles with the network's exact receptive field around them, so that
    the result is that of the whole picture, bit for bit. Files keep their bits (8 or 16), transparency, colour profile
    and EXIF; they appear when they are complete.

    >>> import search
    >>> from PIL import Image
    >>> Image.new("RGB", (64, 48), "orange").save("photo.png")
    >>> done = search.restore("photo.png", "enlarged.png", "espcn")
    >>> [each.plan.count for each in done.restored.values()]
    [1]

    Args:
        input: a picture file, or a folder of them; for raw-denoise a folder with ``frames.csv``.
        output: the file to write (its suffix says the format), or the folder.
        model: a model, or its name: ``RUN#TRIAL``, a model folder, a published network.
        mask: for inpainting, a picture that is white in the holes, or a folder of such, named as the pictures.
        sigma: the noise's standard deviation, of 255, for networks that are told it.
        memory: what the process may take in all, beside ``held_bytes``.
        tiled_anyway: cut pictures into tiles although the network needs the whole one; the result differs.
        workers: pictures at a time, which share the memory and the cores.
        overwrite: replace files that are there.
        quality: of JPEG and WebP files, 1 to 100.
        engine: ``torch``, or the engine of an exported file in the model's folder.
        reference: a folder of clean pictures of the same names, for PSNR and SSIM by the task's rules.
        page: write ``compare.html``, which shows every picture before and after, beside the output.
        held_bytes: of the memory that the process takes, what does not count; all that it takes now if None.

    Raises:
        UserError: an option or the single picture cannot be used. Of a folder, a picture that fails is in ``failed``,
            and the others are restored.
    """
    listener = listener or Listener()
    held = taken_bytes() if held_bytes is None else held_bytes
    found = _model(model)
    if found.rules is not None and found.rules.task == RAW:
        settings = Settings(parse_memory("--memory", memory), 1, sigma, tiled_anyway, held_bytes=held)
        return _restore_frames(Path(input), Path(output), found, settings, overwrite, listener)
    jobs = jobs_of(Path(input), Path(output), None if mask is None else Path(mask), overwrite)
    if not 1 <= quality <= 100:
        raise UserError(f"--quality must be from 1 to 100, got {quality}")
    references = {} if reference is None else references_of([job.path for job in jobs], Path(reference))
    if references and found.rules is None:
        raise UserError(f"--reference needs a network of a task, whose rules measure, got {found.name}; leave it out")
    run = None if engine == TORCH else engine_run(engine, found, model)
    settings = Settings(parse_memory("--memory", memory), workers, sigma, tiled_anyway, quality, held)
    restorer = Restorer(found.network, found.rules, _channels(found), settings, run)
    listener.started(jobs, restorer)
    is_folder = Path(input).is_dir()
    if is_folder:
        Path(output).mkdir(parents=True, exist_ok=True)
    restored: dict[Path, Restored] = {}
    failed: dict[Path, str] = {}
    stop = threading.Event()

    def progress(pixels: int) -> None:
        if stop.is_set():
            raise _StoppedError
        listener.progressed(pixels)

    def one(job: Job) -> None:
        try:
            restored[job.path] = restorer.restore_file(job.path, job.output, job.mask, progress)
        except (UserError, OSError, MemoryError) as error:
            if not is_folder:
                raise
            failed[job.path] = _reason(error)
            listener.failed(job, failed[job.path])
        else:
            listener.finished(job, restored[job.path])

    if workers == 1 or len(jobs) == 1:
        for job in jobs:
            one(job)
    else:
        _side_by_side(one, jobs, workers, stop)
    done = {job.path: job.output for job in jobs if job.path in restored}
    figures: dict[Path, tuple[float, float]] = {}
    metric = ""
    if references and found.rules is not None:
        figures = quality_of(done, {job.path: job.mask for job in jobs}, references, found.rules)
        metric = found.rules.measure.metric_name
    restoration = Restoration(restored, done, failed, most_taken_bytes(), figures, metric)
    if page and done:
        return replace(restoration, page=page_of(found.name, done, restored, figures, Path(output)))
    return restoration


def _restore_frames(
    source: Path, output: Path, model: Model, settings: Settings, overwrite: bool, listener: Listener
) -> Restoration:
    """As ``restore`` for a folder of RAW frames."""
    assert model.rules is not None  # it is of raw-denoise
    if not (source / FILE).is_file():
        raise UserError(
            f"{model.name} restores RAW frames: the input must be a folder with {FILE}, got {escaped_name(source)}"
        )
    if output.suffix.lower() in WRITERS or (output.exists() and not output.is_dir()):
        raise UserError(f"output must be a folder for RAW frames, got {escaped_name(output)}")
    if output.resolve() == source.resolve():
        raise UserError(f"output must be another folder than the input, got {escaped_name(output)} for both")
    if (output / FILE).exists() and not overwrite:
        raise UserError(f"output must not exist, got {escaped_name(output / FILE)}; give --overwrite to replace it")
    frames = load_frames(source, whole=True)
    one = networks_of(model.network)[0]
    restorer = Restorer(one, model.rules, _channels(model), settings)
    jobs = tuple(
        Job(source / frame.name, output / frame.name, (frame.packed.shape[1], frame.packed.shape[0]))
        for frame in frames
    )
    listener.started(jobs, restorer)
    output.mkdir(parents=True, exist_ok=True)
    restored, rows, failed = {}, [], {}
    for frame, job in zip(frames, jobs, strict=True):
        try:
            restored[job.path], row = restore_frame(
                frame, model.network, model.rules, restorer, output, listener.progressed
            )
        except (UserError, MemoryError) as error:
            if len(frames) == 1:
                raise
            failed[job.path] = _reason(error)
            listener.failed(job, failed[job.path])
        else:
            rows.append(row)
            listener.finished(job, restored[job.path])
    write_description(output, rows)
    return Restoration(
        restored, {job.path: job.output for job in jobs if job.path in restored}, failed, most_taken_bytes()
    )


def _side_by_side(one: Callable[[Job], None], jobs: tuple[Job, ...], workers: int, stop: threading.Event) -> None:
    """``one`` of each job on so many threads, which share the cores; an interrupt leaves no half-written file."""
    threads = max(1, torch.get_num_threads() // workers)
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,))
    waiting = {pool.submit(one, job) for job in jobs}
    try:
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _model(model: Model | str) -> Model:
    if isinstance(model, Model):
        return model
    from search.models.named import model_named

    return model_named(model)


def _channels(model: Model) -> tuple[int, int]:
    shape = model.architecture.shape if model.architecture is not None else None
    if shape is None and model.rules is not None:
        shape = model.rules.shape
    return (shape.in_channels, shape.out_channels) if shape is not None else (3, 3)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return os_error_line(error)
    return str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)
