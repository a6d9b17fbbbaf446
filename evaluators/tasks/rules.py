"""``TaskRules``: one task with its options, and the three contracts that it fulfils."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from evaluators.tasks.contracts import Degrade, Measure, Show
from space.architecture import IOShape
from space.tasks import TASKS

TRAINING, VALIDATION = "training", "validation"


@dataclass(frozen=True)
class TaskRules(ABC):
    """One task with its options: a frozen value, stored in every record.

    A subclass adds the task's own options as fields with defaults and passes them to ``degrade``, ``measure`` and
    ``show``.

    Raises:
        UserError: the task does not have this scale or these channels.
    """

    scale: int = 1
    channels: str = ""  # a key of the task's ``channels``; its default if empty
    given: frozenset[str] = field(default=frozenset(), kw_only=True)  # which of TRAINING and VALIDATION are pairs

    task: ClassVar[str]
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {}  # of ``Task.options``, which are fields here

    def __post_init__(self) -> None:
        if not self.channels:
            object.__setattr__(self, "channels", TASKS[self.task].default_channels)
        _ = self.shape  # refuses a wrong scale and wrong channels

    @property
    @abstractmethod
    def degrade(self) -> Degrade[Any]: ...

    @property
    @abstractmethod
    def measure(self) -> Measure[Any]: ...

    @property
    @abstractmethod
    def show(self) -> Show[Any]: ...

    @property
    @abstractmethod
    def title(self) -> str:
        """The task with its main options, in short: ``sr ×4``, ``denoise σ 25``."""

    @property
    def shape(self) -> IOShape:
        return TASKS[self.task].shape(self.scale, self.channels)

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the scale and ``given``, as JSON values."""
        names = (each.name for each in fields(self) if each.name not in ("scale", "given"))
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def of_pairs(self, training: bool, validation: bool) -> TaskRules:
        """These rules where training or validation data come as pairs, to which no degradation is added.

        Only texts change: titles, notes, and which published results are comparable.
        """
        return replace(self, given=frozenset((TRAINING,) * training + (VALIDATION,) * validation))

    def _degradation(self, made: str) -> str:
        """``made``, what is done to clean images; or that theirs is not known, where they come as pairs."""
        if self.given == {TRAINING, VALIDATION}:
            return "of given pairs"
        if VALIDATION in self.given:
            return f"of given pairs, trained with {made}"
        return f"{made}, trained on given pairs" if TRAINING in self.given else made
