"""Whether runs can be compared: what their quality and costs depend on must be the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from evaluators.quantities import Quantity
from search.pareto import front_rung
from search.records import RunResult
from space.errors import UserError

_FINGERPRINTS = re.compile(r"\d+ (?:images|pairs), [0-9a-f]{12}")


def check_same_protocol(runs: Mapping[str, RunResult], quantities: tuple[Quantity, ...]) -> None:
    """Refuse runs, by the name to be shown, whose networks were not trained, measured and priced alike.

    Precision, seed, sampler, budget and machine may differ: bfloat16 and float32 train to the same quality within the
    seed noise (``reports/published/study-precision``).

    Raises:
        UserError: names everything that differs, and what each run has.
    """
    found = {name: _protocol(run, quantities) for name, run in runs.items()}
    aspects = dict.fromkeys(aspect for protocol in found.values() for aspect in protocol)
    differing = [aspect for aspect in aspects if len({_compared(p.get(aspect)) for p in found.values()}) > 1]
    if "task" in differing:
        differing = ["task"]  # everything else follows from it
    told = [f"{aspect} ({_by_run(aspect, found)})" for aspect in differing]
    if not told and common_steps(runs) is None:
        steps = {name: ",".join(map(str, run.settings.rungs)) for name, run in runs.items()}
        told = [f"steps of training ({'; '.join(f'{name}: {text}' for name, text in steps.items())})"]
    if told:
        raise UserError(f"runs to compare must share task, data, metric and steps, got different {'; '.join(told)}")


def common_steps(runs: Mapping[str, RunResult]) -> int | None:
    """The most training steps that every run has a rung for, up to that of its front; None where there are none.

    A search trains with a constant learning rate, so a rung's result does not depend on the rungs above it.
    """
    ladders = [set(run.settings.rungs[: front_rung(run) + 1]) for run in runs.values()]
    return max(set.intersection(*ladders), default=None)


def _protocol(run: RunResult, quantities: tuple[Quantity, ...]) -> dict[str, Any]:
    """What must be the same, by the name to be shown, in the order to be shown in."""
    settings, rules = run.settings, run.settings.rules
    width, height = settings.input_size
    tables = {use.name: use.fingerprint for use in settings.tables}
    return {
        "task": settings.task,
        "scale": f"×{settings.scale}",
        **{f"option {name}": value for name, value in rules.options.items()},
        "metric": rules.measure.metric_rule,
        "training data": settings.train_data,
        "validation data": settings.val_data,
        **{f"training {name}": value for name, value in settings.training.items()},
        "PSNR of the baseline": "unknown" if math.isnan(run.baseline_psnr_db) else f"{run.baseline_psnr_db:.2f} dB",
        **({} if all(each.is_fixed for each in quantities) else {"network input": f"{width}x{height}"}),
        **{f"latency table {each.table}": tables.get(each.table) for each in quantities if each.table is not None},
    }


def _compared(value: Any) -> str:
    """Of data, what they hold and not what their folder is called."""
    text = str(value)
    return " ".join(_FINGERPRINTS.findall(text)) or text


def _by_run(aspect: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"{name}: {_shown(protocol.get(aspect))}" for name, protocol in found.items())


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else "none" if value is None else str(value)
