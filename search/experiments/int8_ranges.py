"""What int8 rounds to while a network is trained for it: ranges and layers in float, in a file beside its weights."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from evaluators.compression.int8 import Int8Network, Sensitivity
from evaluators.compression.int8.network import with_ranges
from search.storage.artifacts import ArtifactStore
from space.deploy import deploy_form
from space.errors import UserError, first_line
from space.files import write_atomically
from space.specialists import networks_of

INT8_FILE = "int8.json"
VERSION = 1
Range = tuple[float, float]


@dataclass(frozen=True)
class Int8Ranges:
    """Measured once, so that a training that goes on rounds as it did.

    Attributes:
        ranges: of each network (several share the noise levels), by the key of a point.
        float_layers: paths of modules that compute in float.
        sensitivity: of every layer, the most sensitive first; none of specialists.
    """

    ranges: tuple[Mapping[str, Range], ...]
    float_layers: tuple[str, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()

    @classmethod
    def of(cls, int8: nn.Module, sensitivity: tuple[Sensitivity, ...] = ()) -> Int8Ranges:
        """Those of what ``evaluators.compression.int8.quantized`` gave."""
        networks = _int8_networks(int8)
        layers = next(each.float_layers for each in networks)
        return cls(tuple(each.ranges for each in networks), tuple(sorted(layers)), sensitivity)

    def network(self, network: nn.Module) -> nn.Module:
        """A copy of ``network``, in its training or its deploy form, in int8."""
        return with_ranges(network, self.ranges, self.float_layers)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any range and with the layers in float."""
        about = json.dumps([list(map(dict, self.ranges)), self.float_layers], sort_keys=True)
        return hashlib.sha256(about.encode()).hexdigest()[:16]

    def write(self, artifacts: ArtifactStore) -> None:
        about = {
            "version": VERSION,
            "ranges": list(map(dict, self.ranges)),
            "float_layers": self.float_layers,
            "sensitivity": [[each.layer, finite(each.psnr_to_float_db)] for each in self.sensitivity],
        }
        text = json.dumps(about, indent=1) + "\n"
        artifacts.put(INT8_FILE, lambda path: write_atomically(path, text.encode()))

    @classmethod
    def read(cls, artifacts: ArtifactStore) -> Int8Ranges:
        """Raises: UserError: the file is gone, or damaged."""
        try:
            with artifacts.open(INT8_FILE) as file:
                data: dict[str, Any] = json.load(file)
            if data["version"] != VERSION:
                raise ValueError(f"version {data['version']} instead of {VERSION}")
            ranges = tuple({key: (low, high) for key, (low, high) in each.items()} for each in data["ranges"])
            ranked = (Sensitivity(layer, math.inf if db is None else db) for layer, db in data["sensitivity"])
            return cls(ranges, tuple(data["float_layers"]), tuple(ranked))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{artifacts.where(INT8_FILE)} must be the int8 ranges of a training, got: {first_line(error)}; give "
                "another --out, or --overwrite to begin again"
            ) from None


def deployed(int8: nn.Module, network: nn.Module) -> nn.Module:
    """The deploy form of ``network``, of which ``int8`` was made, with the weights that ``int8`` has now; in float."""
    form = deploy_form(copy.deepcopy(network)).eval()
    for trained, target in zip(_int8_networks(int8), networks_of(form), strict=True):
        trained.write_weights(target)
    return form


def _int8_networks(int8: nn.Module) -> list[Int8Network]:
    return [each for each in networks_of(int8) if isinstance(each, Int8Network)]


def finite(value: float) -> float | None:
    """``value`` as JSON has it: None for infinity."""
    return value if math.isfinite(value) else None
