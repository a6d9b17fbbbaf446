"""What ``compress`` is asked for: the network, the stages, what limits them, and the folder of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluators.tasks import TaskRules
from evaluators.training.precision import choose_precision
from latency_tables.tables.table import LatencyTable
from search.environment import threads_of
from search.experiments.compress_folder import Begun, existing
from search.experiments.compress_values import added_loss, check_stages, latency_table, length, mixed_layers, prune_spec
from search.experiments.data_specs import EMBEDDED, DataSpec, spec_anywhere
from search.experiments.pruning_stage import PruneSpec
from search.experiments.queue_file import LARGEST_SEED
from search.experiments.sessions import TrainingSession
from search.experiments.start_network import check_training_form, fingerprint, model_and_rules
from search.experiments.train_folder import check_same, own_rate
from search.experiments.train_request import PROTOCOL, RUNS, VALIDATIONS, plain_name, plan_changes
from search.experiments.training import Training
from search.models.model import Model
from search.models.named import OWN, kind_of
from search.request.budget import Budget, parse_budget
from search.request.compress_options import compress_texts
from search.request.tables import tables_of
from search.request.values import written_folder
from space.command_line import parse_count
from space.errors import UserError


@dataclass(frozen=True)
class CompressRequest:
    """Checked, with nothing written yet.

    Attributes:
        parent: what is made smaller.
        base: the training that each stage is a form of; its steps are not known yet.
        prune: None where nothing is pruned.
        is_int8: whether the result is for int8.
        mixed: how many layers stay in float then.
        steps: of all training together; 0 for none, or where ``time_s`` says how long it is to be.
        calibration: the pictures that int8 takes its ranges from.
        table: whose milliseconds pruning lowers, and which are told.
        begun: how the compression that is continued was begun.
    """

    parent: Model
    base: Training
    prune: PruneSpec | None
    is_int8: bool
    mixed: int
    steps: int
    time_s: float | None
    calibration: DataSpec
    table: LatencyTable | None
    budget: Budget | None
    session: TrainingSession
    said: Mapping[str, str]
    begun: Begun | None

    @property
    def folder(self) -> Path:
        return self.session.folder

    @property
    def trains(self) -> bool:
        return self.time_s is not None or self.steps > 0

    @property
    def rules(self) -> TaskRules:
        return self.base.rules


def compress_request(command: str, spec: str, **options: Any) -> CompressRequest:
    """Read ``options`` (``search.request.compress_options``), the network and its weights.

    Raises:
        UserError: the first that cannot be understood or does not fit; nothing was written.
    """
    texts = compress_texts(options)
    is_int8 = bool(options.get("int8"))
    prune = prune_spec(texts)
    check_stages(texts, prune, is_int8)
    steps, time_s = length(texts)
    precision = choose_precision(texts.get("processor"), texts["precision"])
    table = latency_table(texts, is_int8)
    budget = parse_budget(texts["budget"]) if "budget" in texts else None
    if budget is not None:
        tables_of("--budget", budget.sources)
    if "validate_every" in texts:
        parse_count("--validate-every", texts["validate_every"], 1)
    parent, base = _start(spec, texts, prune)
    folder = written_folder("--out", Path(texts.get("out") or RUNS / f"compress-{plain_name(parent.name)}"))
    request = CompressRequest(
        parent=parent,
        base=base,
        prune=prune,
        is_int8=is_int8,
        mixed=mixed_layers(texts, parent),
        steps=steps,
        time_s=time_s,
        calibration=spec_anywhere(texts.get("calibration", texts.get("data"))),
        table=table,
        budget=budget,
        session=TrainingSession(folder, None, precision, 1, threads_of(1), None, command, is_single=True),
        said={},
        begun=existing(folder, bool(options.get("overwrite"))),
    )
    begun = request.begun
    if begun is None:
        return replace(request, said=_said(request, texts))
    changes = plan_changes(own_rate(texts, begun.said))
    request = replace(request, base=replace(base, plan_changes=(*base.plan_changes, *changes)))
    said = _said(request, texts)
    check_same(said, begun.said, folder, "compression")
    return replace(request, said=said, session=replace(request.session, threads=begun.threads))


def _start(spec: str, texts: Mapping[str, str], prune: PruneSpec | None) -> tuple[Model, Training]:
    """The network, and the training that its stages are forms of."""
    seed = parse_count("--seed", texts["seed"], 0, LARGEST_SEED)
    own = f"a network to compress must be of the search space or a published one, got {spec}, a network of your own"
    if kind_of(spec) in OWN:
        raise UserError(own)
    model, rules = model_and_rules(spec, texts, seed)
    if model.architecture is None:
        raise UserError(own)
    if not model.has_weights:
        raise UserError(f"a network to compress must be trained, got {spec} without weights; give --weights FILE")
    if prune is not None and model.architecture.widths:
        raise UserError(
            f"a network is pruned once, from its whole width, got {spec}, which is pruned already; take its parent, or "
            "leave --prune out"
        )
    check_training_form(model, model.architecture)
    return model, Training(
        name=model.name,
        architecture=model.architecture,
        rules=rules,
        protocol=PROTOCOL,
        steps=1,
        seed=seed,
        train=(texts.get("data", EMBEDDED),),
        test=(),
        plan_changes=plan_changes(texts),
        start=fingerprint(model.network),
        validation=texts.get("val_data", EMBEDDED),
        loss=added_loss(texts, rules),
    )


def _said(request: CompressRequest, texts: Mapping[str, str]) -> dict[str, str]:
    """Every setting that decides the result, by its option, the defaults filled in."""
    base, prune, table = request.base, request.prune, request.table
    said = {
        "network": f"{base.name} ({base.architecture.key})",
        "weights": base.start,
        "task": base.rules.task,
        "scale": str(base.rules.scale),
        **{name: str(value) for name, value in base.rules.options.items()},
        "data": ",".join(base.train),
        "val-data": base.validation,
        "seed": str(base.seed),
        **({"time": texts["time"]} if request.time_s is not None else {"steps": str(request.steps)}),
    }
    if prune is not None:
        said |= {"prune": f"{prune.ratio!r}", "importance": prune.importance, "scope": prune.scope}
        said["prune-steps"] = str(prune.steps)
    if request.is_int8:
        said |= {"int8": "yes", "mixed": str(request.mixed), "calibration": request.calibration.text}
    if table is not None:
        said["device"] = f"{table.name} ({table.fingerprint})"
    if request.trains:
        plan, distil = base.plan, base.loss.distil
        said |= {"batch": str(plan.batch), "patch": str(plan.patch_px), "rate": repr(plan.learning_rate)}
        said |= {"optimizer": plan.optimizer, "precision": texts["precision"]}
        if "validate_every" in texts:
            said["validate-every"] = texts["validate_every"]
        if distil is not None and distil.teacher is not None:
            said |= {"distil": distil.teacher.fingerprint, "distil-weight": repr(distil.weight)}
    return said


def validation_steps(request: CompressRequest, steps: int) -> int:
    """Steps between two validations of a compression of ``steps`` steps in all."""
    return int(request.said.get("validate-every", max(1, steps // VALIDATIONS)))
