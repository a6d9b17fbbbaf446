"""The trainings of an experiment with fronts: a line of JSON and a file of weights each, so that a kill costs one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from evaluators.training.weights import load_weights, save_weights
from latency_tables.tables.estimate import Latency
from search.experiments.front_bench import Bench
from space.architecture import Architecture
from space.build import architecture_from_dict, build
from space.errors import UserError
from space.files import write_text_atomically

LINES, WEIGHTS = "trainings.jsonl", "trainings"


@dataclass(frozen=True)
class Place:
    """Which training of the experiment: of an arm, for the pruned share ``ratio``, the ``number``-th of several."""

    arm: str
    ratio: float
    seed: int
    number: int = 0

    @property
    def name(self) -> str:
        number = f"-{self.number}" if self.number else ""
        return f"{self.arm}-{self.ratio:g}-seed{self.seed}{number}"


@dataclass(frozen=True)
class FrontRecord:
    """A finished training; ``steps`` are those behind its weights, a pruned network's parent's among them.

    ``psnr_db`` is by test set, empty of one that diverged, of which ``failure`` says how.
    """

    place: Place
    architecture: Architecture
    steps: int
    params: int
    macs: int
    latency: Latency
    psnr_db: Mapping[str, float]
    train_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "place": vars(self.place),
            "architecture": self.architecture.to_dict(),
            "latency": self.latency.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FrontRecord:
        return cls(
            **{
                **data,
                "place": Place(**data["place"]),
                "architecture": architecture_from_dict(data["architecture"]),
                "latency": Latency.from_dict(data["latency"]),
            }
        )


class FrontRecords:
    """Those of a folder, whose first line says with what settings they are made.

    Raises:
        UserError: the folder was begun with other settings, or its lines cannot be read.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder, self._settings = folder, dict(settings)
        self._records: dict[Place, FrontRecord] = {}
        path = folder / LINES
        if not path.exists():
            return
        begun, self._records = _read(path)
        for name, value in json.loads(json.dumps(self._settings)).items():
            if begun.get(name) != value:
                raise UserError(
                    f"{folder} must be continued as it was begun, with {name} {begun.get(name)}, got {value}; give "
                    "another folder"
                )

    @property
    def all(self) -> tuple[FrontRecord, ...]:
        return tuple(self._records.values())

    def of(self, place: Place) -> FrontRecord | None:
        """None of a training that is not finished."""
        return self._records.get(place)

    def add(self, record: FrontRecord, network: nn.Module | None) -> None:
        """Keep it with its weights, which are there before the line that says so."""
        if network is not None:
            (self._folder / WEIGHTS).mkdir(parents=True, exist_ok=True)
            about = {"architecture": json.dumps(record.architecture.to_dict())}
            save_weights(self._path(record), network, about)
        self._records[record.place] = record
        lines = [self._settings, *(each.to_dict() for each in self._records.values())]
        write_text_atomically(self._folder / LINES, "".join(json.dumps(line) + "\n" for line in lines))

    def again(self, bench: Bench, known: Collection[Place]) -> Iterator[FrontRecord]:
        """Every training that did not diverge, but for those ``known``, measured and priced by another ``bench``."""
        for record in self.all:
            if record.place in known or record.failure or not self._path(record).exists():
                continue
            figures = dict(bench.measure(self.network(record)))
            yield replace(record, latency=bench.cost(record.architecture), psnr_db=figures)

    def network(self, record: FrontRecord) -> nn.Module:
        """With its trained weights, in eval mode.

        Raises:
            UserError: the file of its weights is gone or damaged.
        """
        network = build(record.architecture)
        load_weights(self._path(record), network)
        return network.eval()

    def _path(self, record: FrontRecord) -> Path:
        return self._folder / WEIGHTS / f"{record.place.name}.safetensors"


def _read(path: Path) -> tuple[dict[str, Any], dict[Place, FrontRecord]]:
    try:
        first, *rest = (json.loads(line) for line in path.read_text("utf-8").splitlines())
        records = [FrontRecord.from_dict(line) for line in rest]
        return dict(first), {record.place: record for record in records}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} must hold a line of JSON for each training, got: {error}; delete it") from None
