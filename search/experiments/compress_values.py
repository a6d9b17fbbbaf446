"""What single options of ``compress`` mean: stages, length, latency table, teacher, layers in float."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from evaluators.compression.int8.costs import int8_table
from evaluators.compression.int8.network import engine_form_of
from evaluators.compression.int8.points import layers_of
from evaluators.compression.pruning import IMPORTANCES, SCOPES
from evaluators.compression.pruning.prune import LARGEST_RATIO
from evaluators.tasks import TaskRules
from latency_tables.tables.table import LatencyTable
from search.experiments.loss_spec import Distil, LossSpec, parse_weight
from search.experiments.pruning_stage import PruneSpec
from search.experiments.teachers import teacher_named
from search.experiments.train_request import parse_steps
from search.models.model import Model
from search.request.tables import load_used, tables_of
from search.request.values import parse_time
from space.command_line import parse_count
from space.errors import UserError
from space.specialists import networks_of

SIDE_PX = 32  # of the image on which the layers of a network are counted
MOST_PRUNE_STEPS = 100
NO_STEPS = "0"

DEFAULT_SCOPE = "uniform"  # as a search prunes (``search.workers.pruning.SCOPE``)


def prune_spec(texts: Mapping[str, str]) -> PruneSpec | None:
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
    importance, scope = texts.get("importance", IMPORTANCES[0]), texts.get("scope", DEFAULT_SCOPE)
    for option, value, known in (("importance", importance, IMPORTANCES), ("scope", scope, SCOPES)):
        if value not in known:
            raise UserError(f"--{option} must be one of {', '.join(known)}, got {value!r}")
    steps = parse_count("--prune-steps", texts.get("prune_steps", "1"), 1, MOST_PRUNE_STEPS)
    return PruneSpec(ratio, importance, scope, steps)


def check_stages(texts: Mapping[str, str], prune: PruneSpec | None, is_int8: bool) -> None:
    """Raises: UserError: nothing is to be done, or an option is of a stage that is not."""
    for option in ("mixed", "calibration"):
        if option in texts and not is_int8:
            raise UserError(f"--{option} is of int8, got {texts[option]!r} without it; give --int8")
    if prune is None and not is_int8:
        remedy = "; to train with a teacher alone: python -m search train --teacher" if "distil" in texts else ""
        raise UserError(f"compress must have something to do, got neither --prune RATIO nor --int8{remedy}")


def length(texts: Mapping[str, str]) -> tuple[int, float | None]:
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
    for option in ("batch", "patch", "rate", "optimizer", "distil", "validate_every"):
        if option in texts:
            name = option.replace("_", "-")
            raise UserError(f"--{name} is of fine-tuning, got {texts[option]!r} without it; give --steps or --time")
    return 0, None


def latency_table(texts: Mapping[str, str], is_int8: bool) -> LatencyTable | None:
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


def added_loss(texts: Mapping[str, str], rules: TaskRules) -> LossSpec:
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


def mixed_layers(texts: Mapping[str, str], model: Model) -> int:
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
    return len(layers_of(engine_form_of(network)[0], (1, in_channels, SIDE_PX, SIDE_PX)))
