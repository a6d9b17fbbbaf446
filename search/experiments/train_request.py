"""What ``train`` is asked for: the network with the weights that it starts from, its plan, its data, its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluators.training.plan import OPTIMIZERS, WARMUP_STEPS, PlanChanges
from evaluators.training.precision import choose_precision
from search.environment import threads_of
from search.experiments.data_specs import EMBEDDED
from search.experiments.queue_file import LARGEST_SEED, MOST_STEPS
from search.experiments.sessions import TrainingSession
from search.experiments.start_network import check_training_form, fingerprint, model_and_rules, trainable_of
from search.experiments.teachers import added_loss
from search.experiments.train_folder import Settings, check_same, existing, own_rate
from search.experiments.training import Training
from search.models.model import Model
from search.request.train_options import DEFAULT_TIME, train_texts
from search.request.values import parse_time, written_folder
from space.architecture import Architecture
from space.command_line import parse_count
from space.errors import UserError
from space.text_files import shortened

PROTOCOL = "long"
VALIDATIONS = 20  # of a training, unless the user says otherwise
WARMUP_SHARE = 0.05  # of all steps, at most
RUNS = Path("runs")


@dataclass(frozen=True)
class TrainRequest:
    """Checked, with nothing written yet.

    ``training`` has one step while ``time_s`` says how long it is to be and that is not known in steps yet. ``begun``
    is what was asked of the training that is continued; ``starts_from`` says in words where the weights are from.
    """

    model: Model
    training: Training
    session: TrainingSession
    said: Mapping[str, str]
    time_s: float | None
    starts_from: str
    begun: Settings | None
    overwrite: bool

    @property
    def folder(self) -> Path:
        return self.session.folder

    @property
    def is_fitted(self) -> bool:
        """Whether the number of steps is known."""
        return self.time_s is None or self.begun is not None

    def of_steps(self, steps: int, validate_every: int) -> TrainRequest:
        changes = with_warmup(self.training.plan_changes, steps)
        training = replace(self.training, steps=steps, validate_every=validate_every, plan_changes=changes)
        return replace(self, training=training, time_s=None)


def train_request(command: str, spec: str, **options: Any) -> TrainRequest:
    """Read ``options`` (``search.request.train_options``), the network and its weights.

    Raises:
        UserError: the first that cannot be understood or does not fit; nothing was written.
    """
    texts = train_texts(options)
    steps, time_s = _length(texts)
    precision = choose_precision(texts.get("device"), texts["precision"])
    model, training = _start(spec, texts, steps or 1, bool(options.get("from_scratch")))
    if steps:
        training = replace(training, plan_changes=with_warmup(training.plan_changes, steps))
    if training.test and "data_root" not in texts:
        raise UserError(f"--test names folders below --data-root, got {texts['test']!r} without it; give --data-root")
    folder = written_folder("--out", Path(texts.get("out") or RUNS / f"train-{plain_name(model.name)}"))
    said = _said(texts, training, steps)
    begun = existing(folder, bool(options.get("overwrite")))
    if begun is not None:
        said |= own_rate(texts, begun.said)
        check_same(said, begun.said, folder)
        training = replace(begun.training, loss=training.loss)  # where the teacher's files lie now
    session = TrainingSession(
        folder,
        Path(texts["data_root"]) if "data_root" in texts else None,
        precision,
        1,
        begun.threads if begun is not None else threads_of(1),
        None,
        command,
        is_single=True,
        has_events=bool(options.get("tensorboard")),
    )
    starts_from = _starts_from(model, training, texts)
    return TrainRequest(model, training, session, said, time_s, starts_from, begun, bool(options.get("overwrite")))


def _start(spec: str, texts: Mapping[str, str], steps: int, from_scratch: bool) -> tuple[Model, Training]:
    """The network, and the training of ``steps`` steps that the options say."""
    seed = parse_count("--seed", texts["seed"], 0, LARGEST_SEED)
    if from_scratch and "weights" in texts:
        raise UserError("--weights are to start from, got them with --from-scratch; leave one out")
    model, rules = model_and_rules(spec, texts, seed)
    network = trainable_of(model, spec)
    is_random = from_scratch or (not model.has_weights and isinstance(network, Architecture))
    if isinstance(network, Architecture) and not is_random:
        check_training_form(model, network)
    every = parse_count("--validate-every", texts["validate_every"], 1) if "validate_every" in texts else None
    training = Training(
        name=model.name,
        architecture=network,
        rules=rules,
        protocol=PROTOCOL,
        steps=steps,
        seed=seed,
        train=(texts.get("data", EMBEDDED),),
        test=tuple(test for test in texts.get("test", "").split(",") if test),
        plan_changes=plan_changes(texts),
        start="" if is_random else fingerprint(model.network),
        validation=texts.get("val_data", EMBEDDED),
        validate_every=every or validations_every(steps),
        loss=added_loss(texts, rules),
    )
    _ = training.plan  # refuses what is out of range
    return model, training


def validations_every(steps: int) -> int:
    return max(1, steps // VALIDATIONS)


def with_warmup(changes: PlanChanges, steps: int) -> PlanChanges:
    """With a shorter warm-up where the plan's would be more than ``WARMUP_SHARE`` of all steps."""
    most = int(WARMUP_SHARE * steps)
    return changes if most >= WARMUP_STEPS else (*changes, ("warmup_steps", most))


def parse_steps(text: str) -> int:
    """``2000``, ``50k``, ``1.5M``."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kKmM]?)", text.strip())
    value = float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()] if match else 0
    if value < 1 or value != int(value):
        raise UserError(
            f"--steps must be a whole number of at least 1, such as 2000, 50k or 1M, got {shortened(text)!r}"
        )
    if value > MOST_STEPS:
        raise UserError(f"--steps must be at most {MOST_STEPS:,}, got {shortened(text)!r}")
    return int(value)


def _length(texts: Mapping[str, str]) -> tuple[int | None, float | None]:
    """Steps, or seconds in which as many as fit are to be made."""
    if "steps" in texts and "time" in texts:
        raise UserError(
            f"train takes --steps or --time, got both ({texts['steps']} and {texts['time']}); leave one out"
        )
    if "steps" in texts:
        return parse_steps(texts["steps"]), None
    return None, parse_time(texts.get("time", DEFAULT_TIME))


def plan_changes(texts: Mapping[str, str]) -> PlanChanges:
    changes: list[tuple[str, int | float | str]] = []
    for option, name in (("batch", "batch"), ("patch", "patch_px")):
        if option in texts:
            changes.append((name, parse_count(f"--{option}", texts[option], 1, 1 << 16)))
    if "rate" in texts:
        try:
            rate = float(texts["rate"])
        except ValueError:
            rate = 0.0
        if not 0 < rate < 1:
            raise UserError(f"--rate must be a number above 0 and below 1, got {texts['rate']!r}; for example 0.0005")
        changes.append(("learning_rate", rate))
    if "optimizer" in texts:
        if texts["optimizer"] not in OPTIMIZERS:
            raise UserError(f"--optimizer must be one of {', '.join(OPTIMIZERS)}, got {texts['optimizer']!r}")
        changes.append(("optimizer", texts["optimizer"]))
    return tuple(changes)


def _said(texts: Mapping[str, str], training: Training, steps: int | None) -> dict[str, str]:
    """Every setting that decides the result, by its option, the defaults filled in."""
    plan, rules = training.plan, training.rules
    options = {name: str(value) for name, value in rules.options.items()}
    length = {"steps": f"{steps}"} if steps else {"time": texts.get("time", DEFAULT_TIME)}
    more = {"validate-every": texts["validate_every"]} if "validate_every" in texts else {}
    if training.loss.distil is not None and training.loss.distil.teacher is not None:
        distil, teacher = training.loss.distil, training.loss.distil.teacher
        more |= {"teacher": teacher.fingerprint, "distil": distil.kind, "distil-weight": repr(distil.weight)}
    if training.loss.spectrum_weight:
        more |= {"spectrum-weight": repr(training.loss.spectrum_weight)}
    return {
        "network": f"{training.name} ({training.architecture.key})",
        "weights": training.start or "random",
        "task": rules.task,
        "scale": str(rules.scale),
        **options,
        **length,
        "batch": str(plan.batch),
        "patch": str(plan.patch_px),
        "rate": repr(plan.learning_rate),
        "optimizer": plan.optimizer,
        "seed": str(training.seed),
        "precision": texts["precision"],
        "data": ",".join(training.train),
        "val-data": training.validation,
        **more,
        "test": ",".join(training.test) or "none",
    }


def _starts_from(model: Model, training: Training, texts: Mapping[str, str]) -> str:
    if not training.start:
        return f"random weights of seed {training.seed}"
    if not model.has_weights:
        return f"the weights that {model.name} makes"
    return f"the weights of {texts.get('weights') or model.name}"


def plain_name(name: str) -> str:
    """``name`` as that of a folder."""
    return "".join(letter if letter.isalnum() or letter in "+-.=" else "-" for letter in name)
