"""The records of a run as plain values: the boundary between the search and the reports.

Independent of Optuna: ``search.storage.study`` reads these values from the storage, and reports show them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from evaluators.compression.compression import FP32, INT8, UNCOMPRESSED, Compression
from evaluators.costs import Costs
from evaluators.data import describes_pairs
from evaluators.tasks import TaskRules, rules_of
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import Precision
from search.request.tables import TableUse
from space.architecture import Architecture, IOShape
from space.build import architecture_from_dict

RECORD_VERSION = 2
SEARCHED = "search"
COMPRESS_SHARE = 0.3
ALONE, SHARED = EVALUATORS = ("alone", "shared")  # how a candidate gets its first weights


class Status(StrEnum):
    """How a trial stands."""

    RUNNING = "running"  # begun, and without a result yet
    TRAINED = "trained"  # measured on one rung at least
    FAILED = "failed"
    OVER_BUDGET = "over-budget"  # too expensive, never trained
    DUPLICATE = "duplicate"  # the network of another trial
    UNCOVERED = "uncovered"  # not all its weights are among the shared ones; never trained


@dataclass(frozen=True, slots=True)
class RungResult:
    """Quality of one network after ``steps`` training steps in total, by the task's rules (``RunSettings.rules``).

    ``others_db`` are the task's other metrics by name, in dB. ``at_s`` is the run's time, in seconds by the clock, that
    had been written down when the result came in: to 10 s; 0 where none had.
    """

    rung: int
    steps: int
    psnr_db: float
    ssim: float
    train_s: float
    eval_s: float
    psnr_db_by_image: dict[str, float] = field(default_factory=dict)
    order: int = 0  # this was the order-th result of the run, from 1
    others_db: dict[str, float] = field(default_factory=dict)
    at_s: float = field(default=0.0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RungResult:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Descent:
    """What a compressed trial was made of: the trial ``parent``, and what was done, one of
    ``evaluators.compression.compression.STEPS``.

    ``rung`` is the first that it is measured on. It begins with the parent's weights after ``steps`` steps, so that on
    every rung both have had the same number of steps. ``teacher`` is the trial that taught it.
    """

    parent: int
    how: str
    rung: int
    steps: int
    teacher: int | None = None


@dataclass(frozen=True)
class TrialRecord:
    """One candidate: its source, its costs, and its quality on each rung it reached.

    Costs and quality are those of the design: in the number format that its ``compression`` says. ``descent`` is None
    of a trial that is no other's child. ``family`` is the number of the family whose shared weights it inherits, with
    the steps of their training; None of a trial that is trained alone from random weights, and of another's child.
    ``first_rung`` is the first that it is measured on: one that inherits begins on that of its generation.
    """

    trial: int
    source: str  # SEARCHED, or a published network such as "s-lwsr16"
    status: Status
    architecture: Architecture
    knobs: dict[str, Any]
    costs: Costs
    rungs: tuple[RungResult, ...] = ()
    reason: str | None = None  # why it was stopped or failed
    approximation: bool = False  # stands for a network that its paper does not determine
    compression: Compression = UNCOMPRESSED
    descent: Descent | None = None
    family: int | None = None
    first_rung: int = 0

    @property
    def next_rung(self) -> int:
        """The rung that it has not reached, counted from 0."""
        return len(self.rungs) + self.begins_on

    @property
    def begins_on(self) -> int:
        """The first rung that it is measured on."""
        return self.descent.rung if self.descent else self.first_rung

    @property
    def steps(self) -> int:
        """Training steps made in all, those of the parent that it began with among them."""
        if self.rungs:
            return self.rungs[-1].steps
        return self.descent.steps if self.descent else 0

    @property
    def parent(self) -> int | None:
        """Number of the trial that it was made of."""
        return self.descent.parent if self.descent else None

    @property
    def follows(self) -> bool:
        """Whether it has its parent's weights on every rung, and is never trained: the same network in int8."""
        return self.descent is not None and self.descent.how == INT8

    @property
    def as_design(self) -> tuple[Architecture, Compression]:
        """What it is, however it was found and trained."""
        return self.architecture, self.compression

    @property
    def is_fixed(self) -> bool:
        return self.source != SEARCHED

    def cost(self, objective: str) -> float:
        """The cost called ``key`` in ``--objective`` and ``--budget``."""
        return self.costs.of(objective)

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "architecture": self.architecture.to_dict(),
            "costs": self.costs.to_dict(),
            "compression": self.compression.to_dict(),
            "version": RECORD_VERSION,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrialRecord:
        fields = {name: value for name, value in data.items() if name != "version"}
        return cls(
            **{
                **fields,
                "architecture": architecture_from_dict(data["architecture"]),
                "status": Status(data["status"]),
                "costs": Costs.from_dict(data["costs"]),
                "rungs": tuple(RungResult.from_dict(rung) for rung in data["rungs"]),
                "compression": Compression.from_dict(data.get("compression") or {}),
                "descent": Descent(**data["descent"]) if data.get("descent") else None,
            }
        )

    def at_rung(self, rung: int) -> RungResult | None:
        if 0 <= rung < len(self.rungs) and self.rungs[rung].rung == rung:
            return self.rungs[rung]  # as every run writes them
        return next((result for result in self.rungs if result.rung == rung), None)


KEPT = {"kept": True}  # of a field: a run is continued with the same value


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The request of a run, independent of the session: the options, before any data are read."""

    task: str = field(metadata=KEPT)
    scale: int = field(metadata=KEPT)
    options: dict[str, Any] = field(default_factory=dict, metadata=KEPT)  # of the task (``TaskRules.options``)
    budget: str = field(metadata=KEPT)  # canonical text, "200k-params,11g-macs"
    # "psnr" first, then quantity keys (evaluators.quantities): "macs", "ms@pixel4-a76"
    objectives: tuple[str, ...] = field(metadata=KEPT)
    input_size: tuple[int, int] = field(metadata=KEPT)  # width, height of the network input that costs are given for
    networks: tuple[str, ...] = field(default=(), metadata=KEPT)  # fixed trials asked for, beside those of every search
    sampler: str = field(metadata=KEPT)
    seed: int = field(metadata=KEPT)
    tables: tuple[TableUse, ...] = field(default=(), metadata=KEPT)  # latency tables that milliseconds are given on
    compress: tuple[str, ...] = field(default=(), metadata=KEPT)  # of STEPS: how candidates are compressed
    compress_share: float = field(default=COMPRESS_SHARE, metadata=KEPT)  # of the time, at most, that it may take
    evaluator: str = field(default=ALONE, metadata=KEPT)  # of EVALUATORS
    dtype: str = field(default=FP32, metadata=KEPT)  # in which trials are measured and costed, but for compressed ones
    workers: int


@dataclass(frozen=True, kw_only=True)
class RunSettings(Wanted):
    """The full request of a run and its environment; written once, when the run is created."""

    train_data: str = field(metadata=KEPT)  # "embedded photographs" or the folder's name, with a fingerprint
    val_data: str = field(metadata=KEPT)
    training: dict[str, Any]  # ``TrainingPlan.to_dict``; a continued run goes on with it
    specialists: int = field(default=1, metadata=KEPT)  # the most networks that may share the range of noise levels
    rungs: tuple[int, ...]  # steps of training in all, per rung
    precision: dict[str, Any] = field(default_factory=dict)  # of training (``Precision``)
    overlap: str = ""  # which picture training and validation share, in words; none if empty
    environment: dict[str, str]  # versions, commit, device
    created: str  # ISO 8601, UTC
    version: int = RECORD_VERSION

    @property
    def rules(self) -> TaskRules:
        """The rules of the task with its options; those for pairs if the data are pairs."""
        rules = rules_of(self.task, self.scale, self.options)
        return rules.of_pairs(describes_pairs(self.train_data), describes_pairs(self.val_data))

    @property
    def plan(self) -> TrainingPlan:
        """Of every training of the run: the one of the program that began it."""
        return TrainingPlan.from_dict(self.training)

    @property
    def trained_in(self) -> str:
        """``bf16`` or ``fp32``: the arithmetic of training."""
        return Precision.from_dict(self.precision).name if self.precision else "fp32"

    @property
    def shape(self) -> IOShape:
        """The shape that the search is made for."""
        return replace(self.rules.shape, specialists=self.specialists)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RunSettings:
        tuples = {name: tuple(data[name]) for name in ("objectives", "input_size", "rungs", "networks")}
        tuples["compress"] = tuple(data.get("compress", ()))
        tables = tuple(TableUse.from_dict(table) for table in data["tables"])
        return cls(**{**data, **tuples, "tables": tables})


@dataclass(frozen=True, slots=True)
class SharedWeights:
    """The weights that the networks of a family share, in one generation: on how many ``designs`` and to how many
    ``steps`` they were trained, and in how long, or why they were not; ``lowered_at``: their training diverged, and
    went on from that step at half the rate."""

    family: str  # in words
    designs: int
    steps: int
    train_s: float = 0.0
    failed: str = ""
    lowered_at: int | None = None


@dataclass(frozen=True)
class RunResult:
    """A whole run, finished or not, as reports see it."""

    name: str
    settings: RunSettings
    trials: tuple[TrialRecord, ...]
    baseline_psnr_db: float  # of doing without a network, on the same validation images
    elapsed_s: float
    command: str
    sessions: tuple[str, ...] = ()  # when, by which commit and for what each was
    baseline_others_db: dict[str, float] = field(default_factory=dict)  # the task's further figures
    classical_baselines_db: dict[str, float] = field(default_factory=dict)  # PSNR of classical methods
    stopped_train_s: float = 0.0  # spent on rungs that the end of a session cut short; their checkpoints remain
    is_finished: bool = False  # whether the last session came to its own end
    pruning_s: float = 0.0  # spent on choosing and removing channels
    predicted: tuple[int, ...] = (0, 0)  # proposals of a surrogate, and those far outside what it had learnt
    shared: tuple[SharedWeights, ...] = ()  # of each generation those that are trained, or never will be

    @property
    def inherited_rungs(self) -> tuple[int, ...]:
        """Those on which candidates are measured with shared weights, one for each generation."""
        return tuple(sorted({trial.first_rung for trial in self.trials if trial.family is not None and trial.rungs}))

    @property
    def worker_shares(self) -> dict[str, float]:
        """Shares of worker time: training, of shared weights where there are any, measuring, pruning where it was asked
        for, and everything else (starting, proposing, writing)."""
        available_s = self.settings.workers * self.elapsed_s
        if not available_s:
            return {}
        results = [result for trial in self.trials for result in trial.rungs]
        training = (sum(result.train_s for result in results) + self.stopped_train_s) / available_s
        measuring = sum(result.eval_s for result in results) / available_s
        pruning = self.pruning_s / available_s
        sharing = sum(each.train_s for each in self.shared) / available_s
        known = {"training of shared weights": sharing} if self.shared else {}
        known |= {"training": training, "measuring": measuring} | ({"pruning": pruning} if pruning else {})
        return {**known, "all else": 1 - sum(known.values())}
