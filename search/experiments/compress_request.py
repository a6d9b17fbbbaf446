"""What ``compress`` is asked for: the network, the stages, what limits them, and the folder of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from evaluators.compression.int8 import with_ranges
from evaluators.compression.int8.costs import int8_table
from evaluators.compression.int8.points import layers_of
from evaluators.compression.pruning import IMPORTANCES, SCOPES
from evaluators.compression.pruning.prune import LARGEST_RATIO
from evaluators.tasks import TaskRules
from evaluators.training.precision import choose_precision
from latency_tables.tables.table import LatencyTable
from search.environment import threads_of
from search.experiments.compress_folder import Begun, existing
from search.experiments.data_specs import EMBEDDED, DataSpec, spec_anywhere
from search.experiments.loss_spec import Distil, LossSpec, parse_weight
from search.experiments.pruning_stage import PruneSpec
from search.experiments.queue_file import LARGEST_SEED
from search.experiments.sessions import TrainingSession
from search.experiments.start_network import check_training_form, fingerprint, model_and_rules
from search.experiments.teachers import teacher_named
from search.experiments.train_folder import check_same
from search.experiments.train_request import PROTOCOL, RUNS, VALIDATIONS, parse_steps, plain_name, plan_changes
from search.experiments.training import Training
from search.models.model import Model
from search.request.budget import Budget, parse_budget
from search.request.compress_options import compress_texts
from search.request.tables import load_used, tables_of
from search.request.values import parse_time, written_folder
from space.command_line import parse_count
from space.errors import UserError
from space.specialists import networks_of

SIDE_PX = 32  # of the image on which the layers of a network are counted
MOST_PRUNE_STEPS = 100
NO_STEPS = "0"


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
    overwrite: bool

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
    is_int8, overwrite = bool(options.get("int8")), bool(options.get("overwrite"))
    prune = _prune_spec(texts)
    _check_stages(texts, prune, is_int8)
    steps, time_s = _length(texts)
    precision = choose_precision(texts.get("processor"), texts["precision"])
    table = _table(texts, is_int8)
    budget = parse_budget(texts["budget"]) if "budget" in texts else None
    if budget is not None:
        tables_of("--budget", budget.sources)
    parent, base = _start(spec, texts, bool(steps or time_s), is_int8, prune)
    mixed = _mixed(texts, parent)
    folder = written_folder("--out", Path(texts.get("out") or RUNS / f"compress-{plain_name(parent.name)}"))
    said = _said(texts, base, prune, is_int8, mixed, steps, time_s, table)
    begun = existing(folder, overwrite)
    if begun is not None:
        check_same(said, begun.said, folder, "compression")
    session = TrainingSession(
        folder, None, precision, 1, begun.threads if begun is not None else threads_of(1), None, command, is_single=True
    )
    calibration = spec_anywhere(texts.get("calibration", texts.get("data")))
    return CompressRequest(
        parent, base, prune, is_int8, mixed, steps, time_s, calibration, table, budget, session, said, begun, overwrite
    )


def _prune_spec(texts: Mapping[str, str]) -> PruneSpec | None:
    if "prune" not in texts:
        for option in ("importance", "scope", "prune_steps"):
            if option in texts:
                name = option.replace("_", "-")
                raise UserError(f"--{name} is of pruning, got {texts[option]!r} without it; give --prune RATIO")
        return None
    try:
        ratio = float(texts["prune"])
    except ValueError:
        ratio = 0.0
    if not 0 < ratio <= LARGEST_RATIO:
        raise UserError(
            f"--prune must be a number above 0 and at most {LARGEST_RATIO:g}, got {texts['prune']!r}; for example 0.5"
        )
    importance, scope = texts.get("importance", IMPORTANCES[0]), texts.get("scope", SCOPES[0])
    for option, value, known in (("importance", importance, IMPORTANCES), ("scope", scope, SCOPES)):
        if value not in known:
            raise UserError(f"--{option} must be one of {', '.join(known)}, got {value!r}")
    steps = parse_count("--prune-steps", texts.get("prune_steps", "1"), 1, MOST_PRUNE_STEPS)
    return PruneSpec(ratio, importance, scope, steps)


def _check_stages(texts: Mapping[str, str], prune: PruneSpec | None, is_int8: bool) -> None:
    """Raises: UserError: nothing is to be done, or an option is of a stage that is not."""
    for option in ("mixed", "calibration"):
        if option in texts and not is_int8:
            raise UserError(f"--{option} is of int8, got {texts[option]!r} without it; give --int8")
    if prune is None and not is_int8:
        remedy = "; to train with a teacher alone: python -m search train --teacher" if "distil" in texts else ""
        raise UserError(f"compress must have something to do, got neither --prune RATIO nor --int8{remedy}")


def _length(texts: Mapping[str, str]) -> tuple[int, float | None]:
    """Steps, or seconds in which as many as fit are to be made; 0 and None: nothing is trained."""
    if "steps" in texts and "time" in texts:
        raise UserError(
            f"compress takes --steps or --time, got both ({texts['steps']} and {texts['time']}); leave one out"
        )
    if "time" in texts:
        return 0, parse_time(texts["time"])
    text = texts.get("steps", NO_STEPS)
    if text.strip() != NO_STEPS:
        return parse_steps(text), None
    for option in ("batch", "patch", "rate", "distil", "validate_every"):
        if option in texts:
            name = option.replace("_", "-")
            raise UserError(f"--{name} is of fine-tuning, got {texts[option]!r} without it; give --steps or --time")
    return 0, None


def _table(texts: Mapping[str, str], is_int8: bool) -> LatencyTable | None:
    """Raises: UserError: there is no such table, it is of int8, or it has none of int8 where that is wanted."""
    if "device" not in texts:
        return None
    (table,) = load_used(tables_of("--device", [texts["device"]]))
    if table.dtype == "int8":
        raise UserError(
            f"--device must name a table of fp32, got {table.name}; with --int8 the int8 table beside it is used too"
        )
    if is_int8:
        try:
            int8_table(table)
        except UserError as error:
            raise UserError(f"--device: {error}") from None
    return table


def _start(
    spec: str, texts: Mapping[str, str], trains: bool, is_int8: bool, prune: PruneSpec | None
) -> tuple[Model, Training]:
    """The network, and the training that its stages are forms of."""
    seed = parse_count("--seed", texts["seed"], 0, LARGEST_SEED)
    model, rules = model_and_rules(spec, texts, seed)
    if model.architecture is None:
        raise UserError(
            f"a network to compress must be of the search space or a published one, got {spec}, a network of your own"
        )
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
        loss=_loss(texts, rules),
    )


def _loss(texts: Mapping[str, str], rules: TaskRules) -> LossSpec:
    """The task's own, or with a teacher's outputs."""
    if "distil" not in texts:
        for option in ("teacher_weights", "distil_weight"):
            if option in texts:
                name = option.replace("_", "-")
                raise UserError(f"--{name} is of a teacher, got {texts[option]!r} without one; give --distil NAME")
        return LossSpec()
    weight = parse_weight("--distil-weight", texts.get("distil_weight", "1"))
    try:
        _, teacher = teacher_named(texts["distil"], texts.get("teacher_weights"), rules, "output")
    except UserError as error:
        raise UserError(str(error).replace("--teacher must", "--distil must")) from None
    return LossSpec(Distil("output", weight, teacher))


def _mixed(texts: Mapping[str, str], model: Model) -> int:
    """Raises: UserError: no count, more than the network has, or of specialists."""
    if "mixed" not in texts:
        return 0
    mixed = parse_count("--mixed", texts["mixed"], 0)
    if mixed and len(networks_of(model.network)) > 1:
        raise UserError(
            f"--mixed is for one network, got {mixed} for {model.name}, specialists whose sensitive layers differ; "
            "leave it out"
        )
    layers = layer_count(model.network, model.rules.shape.in_channels) if mixed and model.rules is not None else 0
    if mixed and mixed >= layers:
        raise UserError(f"--mixed must leave one of the {layers} layers of {model.name} in int8, got {mixed}")
    return mixed


def layer_count(network: nn.Module, in_channels: int) -> int:
    """How many layers with weights one network has, as it is deployed."""
    return len(layers_of(with_ranges(network, {}).network, (1, in_channels, SIDE_PX, SIDE_PX)))


def _said(
    texts: Mapping[str, str],
    base: Training,
    prune: PruneSpec | None,
    is_int8: bool,
    mixed: int,
    steps: int,
    time_s: float | None,
    table: LatencyTable | None,
) -> dict[str, str]:
    """Every setting that decides the result, by its option, the defaults filled in."""
    said = {
        "network": f"{base.name} ({base.architecture.key})",
        "weights": base.start,
        "task": base.rules.task,
        "scale": str(base.rules.scale),
        **{name: str(value) for name, value in base.rules.options.items()},
        "data": ",".join(base.train),
        "val-data": base.validation,
        **({"time": texts["time"]} if time_s is not None else {"steps": str(steps)}),
    }
    if prune is not None:
        said |= {"prune": f"{prune.ratio!r}", "importance": prune.importance, "scope": prune.scope}
        said["prune-steps"] = str(prune.steps)
    if is_int8:
        said |= {
            "int8": "yes",
            "mixed": str(mixed),
            "calibration": texts.get("calibration", texts.get("data", EMBEDDED)),
        }
    if table is not None:
        said["device"] = f"{table.name} ({table.fingerprint})"
    if steps or time_s is not None:
        plan = base.plan
        said |= {"batch": str(plan.batch), "patch": str(plan.patch_px), "rate": repr(plan.learning_rate)}
        said |= {"seed": str(base.seed), "precision": texts["precision"]}
        if "validate_every" in texts:
            said["validate-every"] = texts["validate_every"]
        distil = base.loss.distil
        if distil is not None and distil.teacher is not None:
            said |= {"distil": distil.teacher.fingerprint, "distil-weight": repr(distil.weight)}
    return said


def validation_steps(request: CompressRequest, steps: int) -> int:
    """Steps between two validations of a compression of ``steps`` steps in all."""
    return int(request.said.get("validate-every", max(1, steps // VALIDATIONS)))
