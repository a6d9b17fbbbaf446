"""One session of a compression: its stages in order, each begun where the last session left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from evaluators.costs import Costs
from evaluators.data import Picture
from evaluators.training.weights import save_weights
from latency_tables.cli.console import Console
from search.api.compressed import Stages, write_compressed
from search.api.training import FEWEST_STEPS, MEASURING_SHARE, finished_record, say
from search.durations import duration_text
from search.experiments.compress_folder import FINE_TUNING, INT8, Begun, begin
from search.experiments.compress_request import CompressRequest, validation_steps
from search.experiments.compress_results import StageResult, stage_costs
from search.experiments.compress_stages import SHARED_OUT, calibrated, fine_tuning, int8_training, session_of, shares
from search.experiments.course import course_for
from search.experiments.curve import CURVE_FILE, read_points
from search.experiments.int8_ranges import INT8_FILE, Int8Ranges
from search.experiments.pruning_stage import patch_gradients, price_of, pruned
from search.experiments.sessions import run_trainings, time_steps
from search.experiments.start_network import fingerprint
from search.experiments.training import START_FILE, WEIGHTS_FILE, Training, TrainingRecord
from search.experiments.training_data import Pictures, checked_data
from search.experiments.training_steps import ToldToStop
from search.models.costs import input_of
from search.models.files import network_with
from search.models.model import Model
from search.models.pictures import Calibration, calibration_of
from search.request.tables import load_used, tables_of
from search.sessions.first_step import tried
from search.storage.artifacts import LocalArtifacts
from space.architecture import Architecture
from space.errors import UserError


class CompressSession:
    """One session of a compression; ``ends`` is asked often, and True raises ``ToldToStop``."""

    def __init__(self, request: CompressRequest, console: Console | None, ends: Callable[[], bool]) -> None:
        self.request, self.console, self.ends = request, console, ends
        self.calibration = Calibration()
        self.data: Pictures = {}

    def do(self) -> tuple[StageResult, ...]:
        request = self.request
        needs_gradients = request.prune is not None and request.prune.needs_gradients and request.begun is None
        if request.trains or needs_gradients:
            self.data = checked_data([request.base], request.session.places)
        stages = Stages(request)  # reads the held-out pictures
        if request.is_int8:
            size = input_of(request.parent)[1]
            self.calibration = calibration_of(request.rules, request.calibration, size)
        begun, start = self._begun()
        stages.begun(begun, start)
        network = self._fine_tuned(begun, start, stages)
        if request.is_int8:
            self._in_int8(begun, network, stages)
        say(self.console, "measuring ...")
        return write_compressed(request, stages, self.ends)

    def _begun(self) -> tuple[Begun, nn.Module]:
        """How it was begun, now or before, and the network that fine-tuning starts from."""
        request = self.request
        if request.begun is not None:
            return request.begun, network_with(request.begun.architecture, request.folder / START_FILE)
        start, facts = self._pruned()
        assert start.architecture is not None
        check_budget(request, start.architecture)
        if request.trains:
            precision, failed = tried(request.session.precision, [(start.architecture, request.rules)])
            if failed:
                say(self.console, failed)
            request = self.request = replace(request, session=replace(request.session, precision=precision))
        steps = self._fitted(start) if request.time_s is not None else request.steps
        begun = Begun(
            dict(request.said),
            start.architecture,
            facts,
            shares(request, steps),
            validation_steps(request, steps),
            request.session.threads,
            request.session.command,
        )
        begin(request.folder, begun, start)
        return begun, start.network

    def _pruned(self) -> tuple[Model, dict[str, Any]]:
        request = self.request
        if request.prune is None:
            return request.parent, {}
        gradients = None
        if request.prune.needs_gradients:
            pictures: list[Picture] = [each for spec in request.base.train for each in self.data[spec, False]]
            gradients = patch_gradients(pictures, request.rules, request.base.plan, request.base.seed)
        price = price_of(request.parent, request.table, request.is_int8)
        start, facts = pruned(request.parent, request.prune, price, gradients)
        before, after = facts["steps"][0]["cost_before"], min(step["cost_after"] for step in facts["steps"])
        say(self.console, f"pruned: {price.said} from {before:,.4g} to {after:,.4g}")
        return start, facts

    def _fitted(self, start: Model) -> int:
        """As many steps as fit the time asked for.

        They are timed in a folder of their own, so that nothing is left behind where the time is too short.
        """
        request, time_s = self.request, self.request.time_s or 0.0
        assert start.architecture is not None
        step_s = validation_s = 0.0
        counts = shares(request, SHARED_OUT)
        request.folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(
            dir=request.folder.parent, prefix=f".{request.folder.name}.", suffix=".timed"
        ) as beside:
            for stage, count in zip((FINE_TUNING, INT8), counts, strict=True):
                if not count:
                    continue
                session = replace(session_of(request, stage), folder=Path(beside))
                training = self._training(stage, start.architecture, start.network, 1, 1, Path(beside))
                timed = time_steps(training, session, self.data, self.ends)
                if timed is None:
                    raise ToldToStop
                step_s += timed.step_s * count / SHARED_OUT
                validation_s = max(validation_s, timed.validation_s)
        every = validation_steps(request, int(time_s / step_s))
        steps = int((1 - MEASURING_SHARE) * time_s / (step_s + validation_s / every))
        if steps < FEWEST_STEPS:
            raise UserError(
                f"--time must carry at least {FEWEST_STEPS} steps of {step_s:.2g} s and the validations of "
                f"{validation_s:.2g} s, got {duration_text(time_s)}; give it longer, or --steps"
            )
        say(self.console, f"{duration_text(time_s)} carry {steps:,} steps, at {step_s:.3g} s a step as measured")
        return steps

    def _training(
        self, stage: str, arch: Architecture, network: nn.Module, steps: int, every: int, folder: Path
    ) -> Training:
        """The training of ``stage``, whose own folder below ``folder`` gets what it starts from."""
        place = folder / stage
        place.mkdir(exist_ok=True)
        if not (place / START_FILE).is_file():
            save_weights(place / START_FILE, network, {"network": self.request.base.name})
        start = fingerprint(network)
        if stage == FINE_TUNING:
            return fine_tuning(self.request, arch, start, steps, every)
        ranges = self._ranges(network, LocalArtifacts(place))
        return int8_training(self.request, arch, start, steps, every, ranges)

    def _ranges(self, network: nn.Module, artifacts: LocalArtifacts) -> Int8Ranges:
        """Those that were measured before, or measured now."""
        if artifacts.get(INT8_FILE) is not None:
            return Int8Ranges.read(artifacts)
        _, ranges = calibrated(network, self.calibration.images, self.request.mixed)
        ranges.write(artifacts)
        return ranges

    def _fine_tuned(self, begun: Begun, start: nn.Module, stages: Stages) -> nn.Module:
        steps, _ = begun.steps
        if not steps:
            return start
        training = self._training(
            FINE_TUNING, begun.architecture, start, steps, begun.validate_every, self.request.folder
        )
        record = self._trained(FINE_TUNING, training)
        network = network_with(begun.architecture, self.request.folder / FINE_TUNING / WEIGHTS_FILE)
        stages.fine_tuned(network, record)
        return network

    def _in_int8(self, begun: Begun, network: nn.Module, stages: Stages) -> None:
        arch, folder, (_, steps) = begun.architecture, self.request.folder, begun.steps
        if not steps:
            int8, ranges = calibrated(network, self.calibration.images, self.request.mixed)
            stages.rounded(int8, ranges, self.calibration)
            return
        training = self._training(INT8, arch, network, steps, begun.validate_every, folder)
        ranges = Int8Ranges.read(LocalArtifacts(folder / INT8))
        stages.rounded(ranges.network(network), ranges, self.calibration)
        record = self._trained(INT8, training)
        stages.trained_for_int8(network_with(arch, folder / INT8 / WEIGHTS_FILE), record)

    def _trained(self, stage: str, training: Training) -> TrainingRecord:
        """Trained to the end; raises as ``compress``, or ``ToldToStop``."""
        session, folder = session_of(self.request, stage), self.request.folder
        own = folder / stage
        earlier = read_points(own / CURVE_FILE)
        with course_for(self.console, earlier, training.rules.measure.metric_name) as course:
            outcome = run_trainings([training], session, course, self.ends, self.data)
        record = finished_record(outcome, training, own, folder)
        if record is None:
            raise ToldToStop
        return record


def check_budget(request: CompressRequest, arch: Architecture) -> None:
    """Refuse what ``--budget`` does not allow; bytes are those of int8 where it is wanted.

    Raises:
        UserError: ``arch`` exceeds a limit; names the first.
    """
    if request.budget is None:
        return
    size = input_of(request.parent)[1]
    tables = load_used(tables_of("--budget", request.budget.sources))
    costs: Costs = stage_costs(arch, size, None, request.is_int8)
    if tables:
        latency = {table.name: stage_costs(arch, size, table, False).latency[table.name] for table in tables}
        costs = replace(costs, latency=latency)
    over = request.budget.broken(costs)
    if over:
        remedy = "give a larger --prune" if request.prune is not None else "give --prune RATIO"
        what = "the pruned design" if request.prune is not None else "the network"
        raise UserError(
            f"--budget must hold {what}, got {costs.of(over[0].quantity):,.5g} for {over[0].text}; {remedy}"
        )
