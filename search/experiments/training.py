"""One network trained once under a stated protocol, and what came out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluators.data import describes_pairs
from evaluators.tasks import TaskRules, rules_of
from evaluators.training.plan import PlanChanges, TrainingPlan
from search.experiments.loss_spec import LossSpec
from search.experiments.protocols import PROTOCOLS
from search.experiments.trainables import Trainable, image_shape, trainable_from_dict
from search.storage.artifacts import ArtifactStore, LocalArtifacts
from space.errors import UserError
from space.files import write_atomically

RECORD_FILE, WEIGHTS_FILE, CHECKPOINT_FILE = "record.json", "weights.safetensors", "checkpoint.safetensors"
BEGUN_FILE = "begun.json"  # beside the checkpoint
START_FILE = "start.safetensors"  # the weights that a training starts from, where they are not random
RECORD_VERSION = 2


@dataclass(frozen=True)
class Training:
    """All that determines one training.

    ``name`` says which network it is (``s-lwsr16+skip``); ``train`` and ``test`` are data specs
    (``search.experiments.data_specs``). ``seed`` is that of weights and patches.

    ``plan_changes`` are fields of the protocol's plan that are another than the protocol says, by name. ``start`` is
    the fingerprint of the weights in ``START_FILE``; empty for random ones. Every ``validate_every`` steps, and after
    those of ``validate_at``, the averaged weights are measured on the pictures of the data spec ``validation``; 0 and
    none for never. ``loss`` is what is added to the task's own. ``int8`` is the fingerprint of the ranges
    (``search.experiments.int8_ranges``) to which it is rounded in training; its weights are then of the deploy form.
    """

    name: str
    architecture: Trainable
    rules: TaskRules
    protocol: str
    steps: int
    seed: int
    train: tuple[str, ...]
    test: tuple[str, ...]
    plan_changes: PlanChanges = ()
    start: str = ""
    validation: str = ""
    validate_every: int = 0
    loss: LossSpec = field(default_factory=LossSpec)
    int8: str = ""
    validate_at: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise UserError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {self.protocol!r}")
        if self.steps < 1:
            raise UserError(f"steps must be at least 1, got {self.steps}; for example 1000")
        if image_shape(self.architecture) != self.rules.shape:
            raise UserError(
                f"{self.name} must take and give {self.rules.title}'s {self.rules.shape}, got "
                f"{self.architecture.shape}; give the task's --channels and --scale"
            )

    @property
    def plan(self) -> TrainingPlan:
        plan = PROTOCOLS[self.protocol](self.rules, self.steps)
        changes: dict[str, Any] = dict(self.plan_changes)
        return replace(plan, **changes)

    @property
    def is_validated(self) -> bool:
        """Whether its averaged weights are measured on the way."""
        return self.validate_every > 0 or bool(self.validate_at)

    def is_validated_after(self, step: int) -> bool:
        """The end counts too and, with ``validate_every``, the start."""
        is_regular = self.validate_every and step % self.validate_every == 0
        return self.is_validated and bool(is_regular or step in (*self.validate_at, self.steps))

    def trained_until(self, step: int) -> int:
        """The step after ``step`` at which training stops to be validated, or ends."""
        every = self.validate_every
        regular = (step // every + 1) * every if every else self.steps
        return min(self.steps, regular, *(at for at in self.validate_at if at > step))

    def to_dict(self) -> dict[str, Any]:
        """Without what the trainings of a queue do not have, so that the names of their folders stay as they were."""
        more: dict[str, Any] = {
            "plan_changes": dict(self.plan_changes),
            "start": self.start,
            "validation": self.validation,
            "validate_every": self.validate_every,
            "loss": self.loss.to_dict(),
            "int8": self.int8,
            "validate_at": list(self.validate_at),
        }
        return {
            "name": self.name,
            "architecture": self.architecture.to_dict(),
            "task": self.rules.task,
            "scale": self.rules.scale,
            "options": self.rules.options,
            "protocol": self.protocol,
            "plan": self.plan.to_dict(),
            "steps": self.steps,
            "seed": self.seed,
            "train": list(self.train),
            "test": list(self.test),
            **{name: value for name, value in more.items() if value},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Training:
        """One that was recorded, with the plan that it had then: the protocol may be another today."""
        training = cls._of_protocol(data)
        recorded = TrainingPlan.from_dict(data["plan"]) if "plan" in data else training.plan
        return replace(training, plan_changes=(*training.plan_changes, *training.plan.changes(recorded)))

    @classmethod
    def _of_protocol(cls, data: dict[str, Any]) -> Training:
        values = {name: data[name] for name in ("name", "protocol", "steps", "seed")}
        values |= {name: data[name] for name in ("start", "validation", "validate_every", "int8") if name in data}
        return cls(
            architecture=trainable_from_dict(data["architecture"]),
            plan_changes=tuple(data.get("plan_changes", {}).items()),
            rules=rules_of(data["task"], data["scale"], data["options"]),
            train=tuple(data["train"]),
            test=tuple(data["test"]),
            validate_at=tuple(data.get("validate_at", ())),
            loss=LossSpec.from_dict(data.get("loss", {})),
            **values,
        )

    @property
    def folder_name(self) -> str:
        """Readable, and another one for whatever trains otherwise; what it is measured on does not matter, nor whether
        its plan is that of the protocol today."""
        about = {name: value for name, value in self.to_dict().items() if name not in ("name", "test", "plan_changes")}
        if not self.loss.is_own:
            about["loss"] = self.loss.decisive
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
        name = "".join(letter if letter.isalnum() or letter in "+-.=" else "-" for letter in self.name)
        return f"{name}-{self.steps}-seed{self.seed}-{digest}"


@dataclass(frozen=True)
class Begun:
    """How far a training that is not finished has come, over all sessions; ``train_s`` is the time spent on steps.

    ``precision`` is ``fp32`` or ``bf16``, None of older ones. ``losses`` are the sum and the number of those that no
    row of the curve has yet.
    """

    step: int
    train_s: float
    train_data: str
    precision: str | None = None
    losses: tuple[float, int] = (0.0, 0)

    def write(self, artifacts: ArtifactStore) -> None:
        _put_json(artifacts, BEGUN_FILE, json.dumps(asdict(self)))

    @classmethod
    def read(cls, artifacts: ArtifactStore) -> Begun | None:
        """What is known of a training; None where there is no checkpoint, or the note is damaged."""
        try:
            if artifacts.get(CHECKPOINT_FILE) is None:
                return None
            with artifacts.open(BEGUN_FILE) as file:
                return cls(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None


@dataclass(frozen=True)
class SetResult:
    """Means over the pictures of one test set, and those of doing without a network."""

    psnr_db: float
    ssim: float
    baseline_psnr_db: float
    baseline_ssim: float
    images: int
    data: str  # the set as ``evaluators.data.describe`` says it
    others_db: dict[str, float] = field(default_factory=dict)
    start_psnr_db: float | None = None  # of the weights that training started from, where they were not random
    start_ssim: float | None = None
    classical_db: dict[str, float] = field(default_factory=dict)  # of the task's classical methods, where measured


@dataclass(frozen=True)
class TrainingRecord:
    """A finished training. ``results`` are by data spec, those of ``training``; ``train_s`` is as in ``Begun``.

    ``macs`` and ``peak_activation_bytes`` are None of a user's network that runs an operator of unknown cost.
    ``validation`` is the result on the pictures that it was validated on, if there were any.
    """

    training: Training
    params: int
    macs: int | None
    peak_activation_bytes: int | None
    input_size: tuple[int, int]
    results: dict[str, SetResult]
    train_s: float
    train_data: str
    environment: dict[str, str]
    command: str
    finished: str  # ISO 8601, UTC
    validation: SetResult | None = None

    @property
    def trained_in(self) -> str:
        """``bf16`` or ``fp32``."""
        return "bf16" if self.environment.get("precision", "").startswith("training bfloat16") else "fp32"

    @property
    def rules(self) -> TaskRules:
        """The training's, with what is known of its data: whether they, and all that was measured on, are pairs."""
        measured = [describes_pairs(result.data) for result in self.results.values()]
        trained = describes_pairs(self.train_data)
        return self.training.rules.of_pairs(trained, all(measured) if measured else trained)

    def lacks(self, asked: Training) -> tuple[str, ...]:
        """The test sets of ``asked`` that it was not measured on yet."""
        return tuple(spec for spec in asked.test if spec not in self.results)

    def with_result(self, spec: str, result: SetResult) -> TrainingRecord:
        results = {**self.results, spec: result}
        return replace(self, training=replace(self.training, test=tuple(results)), results=results)

    def write(self, artifacts: ArtifactStore) -> None:
        own = ("training", "results", "validation")
        values = {name: value for name, value in vars(self).items() if name not in own}
        if self.validation is not None:
            values["validation"] = asdict(self.validation)
        values["results"] = {name: asdict(result) for name, result in self.results.items()}
        text = json.dumps({"version": RECORD_VERSION, "training": self.training.to_dict(), **values}, indent=1)
        _put_json(artifacts, RECORD_FILE, text + "\n")

    @classmethod
    def read(cls, artifacts: ArtifactStore) -> TrainingRecord | None:
        """The record of a training, None where there is none yet.

        Raises:
            UserError: a record that cannot be read.
        """
        if artifacts.get(RECORD_FILE) is None:
            return None
        try:
            with artifacts.open(RECORD_FILE) as file:
                data = dict(json.load(file))
            version = data.pop("version")
            if version != RECORD_VERSION:
                raise ValueError(f"version {version} instead of {RECORD_VERSION}")
            if "validation" in data:
                data["validation"] = SetResult(**data["validation"])
            return cls(
                **{
                    **data,
                    "training": Training.from_dict(data["training"]),
                    "input_size": tuple(data["input_size"]),
                    "results": {name: SetResult(**result) for name, result in data["results"].items()},
                }
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            path = artifacts.where(RECORD_FILE)
            raise UserError(f"{path} must be a training's record, got: {error}; delete its folder") from None


def _put_json(artifacts: ArtifactStore, name: str, text: str) -> None:
    artifacts.put(name, lambda path: write_atomically(path, text.encode()))


def records_in(folder: Path) -> tuple[TrainingRecord, ...]:
    """All finished trainings that ``folder`` keeps, whichever command made them, in the order of their folders' names.

    Raises:
        UserError: a record that cannot be read.
    """
    records = (TrainingRecord.read(LocalArtifacts(path.parent)) for path in sorted(folder.glob(f"*/{RECORD_FILE}")))
    return tuple(record for record in records if record is not None)
