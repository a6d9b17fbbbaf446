"""What training in bfloat16 costs in quality: ``ablation precision`` in fp32 and in bf16, seed by seed.

python -m search ablation precision --steps 400 --precision fp32 --out runs/precision/fp32
python -m search ablation precision --steps 400 --precision bf16 --out runs/precision/bf16
python -m reports.experiments.precision_quality runs/precision/fp32 runs/precision/bf16 --out FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from reports import markdown
from search.environment import all_of
from search.experiments.ablations import comparison
from search.experiments.training import TrainingRecord, records_in
from space.architecture import Architecture
from space.errors import UserError
from space.files import write_atomically

TEST = "embedded"


@dataclass(frozen=True)
class Pair:
    """PSNR in dB by seed of one network in both precisions, for the seeds that both have."""

    name: str
    params: int
    fp32_db: dict[int, float]
    bf16_db: dict[int, float]

    @property
    def differences_db(self) -> list[float]:
        """bf16 minus fp32, seed by seed: both begin with the same weights and see the same patches."""
        return [self.bf16_db[seed] - self.fp32_db[seed] for seed in self.fp32_db]


def pairs(fp32: Sequence[TrainingRecord], bf16: Sequence[TrainingRecord]) -> tuple[Pair, ...]:
    """Every network of the ablation that was trained in both.

    Raises:
        UserError: records of another precision than their place says, or of different lengths, or no pair at all.
    """
    for records, precision in ((fp32, "fp32"), (bf16, "bf16")):
        for record in records:
            if record.trained_in != precision:
                raise UserError(
                    f"trainings in {precision} are needed, got {record.training.name} in {record.trained_in}"
                )
    if len({record.training.steps for record in (*fp32, *bf16)}) > 1:
        raise UserError(
            "all trainings must have the same number of steps, got several; give two folders of one ablation"
        )
    found = []
    for name, arch in comparison("precision").variants.items():
        by_seed = [_by_seed(records, arch) for records in (fp32, bf16)]
        seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
        if seeds:
            one = by_seed[0][seeds[0]]
            values = [{seed: own[seed].results[TEST].psnr_db for seed in seeds} for own in by_seed]
            found.append(Pair(name, one.params, *values))
    if not found:
        raise UserError("a network of the ablation must be trained in both precisions, got none")
    return tuple(found)


def _by_seed(records: Sequence[TrainingRecord], arch: Architecture) -> dict[int, TrainingRecord]:
    return {r.training.seed: r for r in records if r.training.architecture == arch and TEST in r.results}


def interval_db(differences: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and half of its 95 % interval; None of a single value."""
    mean, count = float(np.mean(differences)), len(differences)
    if count < 2:
        return mean, None
    return mean, float(student.ppf(0.975, count - 1) * np.std(differences, ddof=1) / count**0.5)


def page(found: Sequence[Pair], records: Sequence[TrainingRecord], commands: Sequence[str]) -> str:
    everything = [value for pair in found for value in pair.differences_db]
    mean, half = interval_db(everything)
    record, places = records[0], [each.environment for each in records]
    lines = [
        "# Training in bfloat16 against float32\n",
        f"Super-resolution x4, {record.training.steps} steps of the search's own training (`{record.training.plan}`), "
        "measured in float32 on the six embedded photographs (PSNR on Y, 4 px shaved). Both precisions begin "
        "with the same weights and see the same patches, so differences are taken seed by seed; ± is the standard "
        "deviation over seeds, of the difference half the 95 % interval of its mean.\n",
    ]
    rows = []
    for pair in found:
        difference, own_half = interval_db(pair.differences_db)
        cells = [pair.name, f"{pair.params:,}", _spread(pair.fp32_db), _spread(pair.bf16_db)]
        cells += [f"{difference:+.3f}" + ("" if own_half is None else f" ± {own_half:.3f}")]
        cells += [", ".join(f"{value:+.3f}" for value in pair.differences_db)]
        rows.append(cells)
    lines += markdown.table(("network", "params", "fp32, dB", "bf16, dB", "bf16 − fp32, dB", "each seed, dB"), rows)
    over_all = f"{mean:+.3f} dB" + ("" if half is None else f" ± {half:.3f}")
    lines.append(
        f"\nOver all {len(everything)} pairs: {over_all} (mean and half its 95 % interval); the largest single "
        f"difference is {max(everything, key=abs):+.3f} dB.\n"
    )
    said = "; ".join(f"`{command}`" for command in commands)
    lines.append(
        f"On {all_of(places, 'device')}, torch {all_of(places, 'torch')}, {all_of(places, 'workers')}, "
        f"commit {all_of(places, 'commit')}, by {said}. Every training: `psnr.csv`.\n"
    )
    return "\n".join(lines)


def _spread(psnr_db: dict[int, float]) -> str:
    values = list(psnr_db.values())
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def write(folder: Path, fp32: Sequence[TrainingRecord], bf16: Sequence[TrainingRecord]) -> None:
    """``README.md`` and ``psnr.csv`` (a row per training) into ``folder``; errors as of ``pairs``."""
    found = pairs(fp32, bf16)
    rows = [
        {
            "network": r.training.name,
            "params": r.params,
            "precision": r.trained_in,
            "seed": r.training.seed,
            "steps": r.training.steps,
            "psnr_db": r.results[TEST].psnr_db,
            "train_s": round(r.train_s, 1),
        }
        for r in (*fp32, *bf16)
        if TEST in r.results
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "psnr.csv", pd.DataFrame(rows).to_csv(index=False).encode())
    commands = [max(records, key=lambda record: record.finished).command for records in (fp32, bf16)]
    write_atomically(folder / "README.md", page(found, (*fp32, *bf16), commands).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fp32", type=Path, help="folder of the ablation trained with --precision fp32")
    parser.add_argument("bf16", type=Path, help="folder of the ablation trained with --precision bf16")
    parser.add_argument("--out", type=Path, required=True, help="where the table goes")
    options = parser.parse_args()
    write(options.out, records_in(options.fp32), records_in(options.bf16))


if __name__ == "__main__":
    main()
