"""int8 as phones run it: simulated in torch, so that a search can measure it before a file is written."""

from evaluators.compression.int8.calibration import calibration_patches, quantized_on
from evaluators.compression.int8.network import Int8Network, quantized
from evaluators.compression.int8.sensitivity import Sensitivity, most_sensitive, sensitivities

__all__ = [
    "Int8Network",
    "Sensitivity",
    "calibration_patches",
    "most_sensitive",
    "quantized",
    "quantized_on",
    "sensitivities",
]
