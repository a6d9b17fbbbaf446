"""One network made smaller, from request to model folder: pruned, fine-tuned, in int8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from latency_tables.cli.console import Console
from search.api.compress_session import CompressSession
from search.api.compressed import results_in
from search.api.listed_options import command_line, with_options
from search.api.training import say, spec_of
from search.durations import duration_text
from search.experiments.compress_folder import is_finished
from search.experiments.compress_request import CompressRequest, compress_request
from search.experiments.compress_results import StageResult
from search.experiments.compress_stages import SHARED_OUT, shares
from search.experiments.pruning_stage import price_of
from search.experiments.training_steps import ToldToStop
from search.models.folder import load_model
from search.request.compress_options import COMPRESS_OPTIONS, FLAGS
from search.sessions.interrupts import noted_interrupts
from space.errors import UserError


@dataclass(frozen=True)
class Compressed:
    """What ``search.compress`` returns; ``stages`` is empty where it was interrupted: the same call continues."""

    folder: Path
    stages: tuple[StageResult, ...]

    @property
    def is_finished(self) -> bool:
        return bool(self.stages)

    def network(self) -> nn.Module:
        """The smaller network in eval mode and in float, as ``search.load_model`` gives it."""
        if not self.is_finished:
            raise UserError(f"{self.folder} must be finished, got a compression that was interrupted")
        return load_model(self.folder)


def compress(
    model: str, trial: int | str | None = None, *, progress: bool = True, stop: Callable[[], bool] = lambda: False,
    **options: object,
) -> Compressed:  # fmt: skip
    """Make one network smaller, into a model folder that ``search.export`` takes.

    Channels are removed (``prune``), what is left is fine-tuned for ``steps`` or ``time``, also by a teacher
    (``distil``), and with ``int8`` the last steps are made in int8 as LiteRT rounds it. Without steps nothing is
    trained. The same call continues one that was interrupted or killed, on a CPU bit for bit. Training runs in a
    process of its own.

    >>> import search
    >>> small = search.compress("example#0", prune=0.3, out="runs/small-example", overwrite=True, progress=False)
    >>> small.stages[1].costs.macs < small.stages[0].costs.macs
    True

    Args:
        model: a run and ``trial``, ``RUN#TRIAL``, a model folder, a weights file of litefront, or a published network
            with ``weights``.
        trial: the number of the network in the run ``model``.
        progress: whether to print what was understood, and the curve as it grows.
        stop: called several times a second; True interrupts it, with a checkpoint.

    Raises:
        UserError: an option is invalid or does not fit; nothing was written.
        TrainingFailedError: the network diverged.
        StoppedError: trouble with the machine (disk, memory, GPU); the same call continues.
    """
    spec = spec_of(model, trial)
    request = compress_request(command_line("compress", spec, COMPRESS_OPTIONS, FLAGS, options), spec, **options)
    return compress_for(request, Console() if progress else None, stop)


def compress_for(
    request: CompressRequest,
    console: Console | None,
    stop: Callable[[], bool] = lambda: False,
    owns_process: bool = False,
) -> Compressed:
    """Do what is asked for; raises as ``compress``."""
    if request.begun is not None and is_finished(request.folder):
        say(console, f"This compression is finished: {request.folder}")
        return Compressed(request.folder, results_in(request.folder))
    say(console, understood(request))
    with noted_interrupts(owns_process) as interrupted:
        work = CompressSession(request, console, lambda: interrupted() or stop())
        try:
            stages = work.do()
        except ToldToStop:
            say(console, f"stopped; what is done stays in {request.folder}, and the same command continues")
            return Compressed(request.folder, ())
    return Compressed(request.folder, stages)


def understood(request: CompressRequest) -> str:
    """The network, the stages, the data and the folder, in lines."""
    base, plan = request.base, request.base.plan
    lines = [f"{base.name} for {request.rules.title}, made smaller"]
    if request.prune is not None:
        price = price_of(request.parent, request.table, request.is_int8)
        lines.append(f"  pruned: {request.prune.said}, to lower {price.said}")
    if request.trains:
        steps = sum(request.begun.steps) if request.begun is not None else request.steps
        length = f"{steps:,} steps" if steps else f"as many steps as {duration_text(request.time_s or 0.0)} carry"
        added = "" if base.loss.is_own else f"; the loss is the task's own and {base.loss.said}"
        lines.append(
            f"  fine-tuned: {length} of {plan.batch} patches of {plan.patch_px}x{plan.patch_px}, rate "
            f"{plan.learning_rate:g} falling to zero, seed {base.seed}{added}"
        )
        lines.append(
            f"  training in {request.session.precision.name} on {request.session.precision.device} on "
            f"{', '.join(base.train)}; held-out pictures: {base.validation}"
        )
    else:
        lines.append(f"  not trained: give --steps or --time to fine-tune; held-out pictures: {base.validation}")
    if request.is_int8:
        float_share, int8_share = shares(request, SHARED_OUT)
        how = f"the last {int8_share / SHARED_OUT:.0%} of the steps are trained for it" if request.trains else "rounded"
        if request.trains and not float_share:
            how = "all steps are trained for it"
        most = "layer" if request.mixed == 1 else f"{request.mixed} layers"
        kept = f", the most sensitive {most} in float" if request.mixed else ""
        lines.append(f"  int8: {how}{kept}; ranges from {request.calibration.text}")
    if request.budget is not None:
        lines.append(f"  within {request.budget.text}")
    lines.append(f"  model folder {request.folder}" + ("; continuing" if request.begun is not None else ""))
    return "\n".join(lines)


with_options(compress, COMPRESS_OPTIONS, FLAGS)
