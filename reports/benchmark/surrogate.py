"""What costs alone say of a design that was not trained: ridge regression, leaving out one design at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

RIDGE = 1.0  # of standardised features: there are few designs for each


def left_out(designs: pd.DataFrame, quality: Mapping[str, float]) -> dict[str, float]:
    """PSNR in dB of every design in ``quality`` as the others predict it; none where there are fewer than three.

    Features are the columns of ``designs.csv`` in logs (params, macs, milliseconds), their squares, and the backbone.
    """
    known = designs[designs["name"].isin(quality.keys())]
    if len(known) < 3:
        return {}
    logs = np.log(known[["params", "macs", *(name for name in designs if str(name).startswith("ms_"))]].to_numpy(float))
    backbones = np.stack([known["backbone"] == name for name in sorted(set(known["backbone"]))], axis=1)
    features = _standard(np.concatenate([logs, _standard(logs) ** 2, backbones], axis=1))
    wanted = np.array([quality[name] for name in known["name"]])
    found = {}
    for index, name in enumerate(known["name"]):
        rest = np.arange(len(known)) != index
        mean = wanted[rest].mean()
        own = features[rest]
        weights = np.linalg.solve(own.T @ own + RIDGE * np.eye(own.shape[1]), own.T @ (wanted[rest] - mean))
        found[str(name)] = float(mean + features[index] @ weights)
    return found


def _standard(values: np.ndarray) -> np.ndarray:
    """Every column with mean 0 and deviation 1; a constant one is 0."""
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
