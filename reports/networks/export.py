"""``python -m reports.networks.export FOLDER``: which networks, and which values of which knobs, every format takes.

Published networks, the smallest network with each value of each knob, and random networks of every task are written in
fp32, opened in their engine, run on a photograph, and compared with torch. What is done is kept in FOLDER, a file per
format, and the same command continues; ``--minutes`` ends it earlier.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.export import FORMATS, FP32, Exportable, ExportError, Format, format_named
from evaluators.export.check import Shot, compared
from evaluators.export.deploy import export_form
from evaluators.export.pictures import plain_photographs
from evaluators.export.tolerances import TOLERANCES
from reports.networks.export_cases import Case, cases
from reports.networks.export_tables import write_tables
from space import build
from space.architecture import Architecture
from space.command_line import parse_count
from space.errors import UserError, first_line
from space.files import write_text_atomically
from space.specialists import networks_of

# (width, height) of the input: of sides that pyramids and encoder-decoders have to extend.
SIZE = (60, 44)
SEED = 1


def network_of(arch: Architecture) -> nn.Module:
    """With weights at which every branch shows: none of them is zero, as some are before a training."""
    generator = torch.Generator().manual_seed(SEED)
    network = networks_of(build(arch, generator))[0].eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if not parameter.any():
            parameter.uniform_(-0.1, 0.1, generator=generator)
    return network


@lru_cache(maxsize=1)
def _forms(arch: Architecture) -> tuple[nn.Module, nn.Module]:
    """A network and the form of it that is exported, the same for every format: converters keep their first steps."""
    network = network_of(arch)
    return network, export_form(network, SIZE)


def tried(case: Case, form: Format) -> dict[str, Any]:
    """What became of one network in one format."""
    network, rewritten = _forms(case.arch)
    channels = case.arch.shape.in_channels
    image = plain_photographs(channels, SIZE, 1)[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    # Untrained networks of many layers leave the scale of an image, on which the tolerances are.
    scale = np.float32(max(1.0, np.abs(expected).max()))
    result: dict[str, Any] = {"case": case.name, "group": case.group, "task": case.task, "knobs": dict(case.knobs)}
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{form.suffix}")
        try:
            form.write(Exportable(rewritten, channels, SIZE), path)
            result["bytes"] = sum(each.stat().st_size for each in Path(folder).iterdir())
            engine = form.open(path)
            figures = compared([Shot(image, expected / scale, None)], [engine.run(image) / scale])
            if (told := engine.partitions()) is not None:
                result["partitions"], result["left_out"] = told[0], list(told[1])
        except ExportError as error:
            return result | {"failure": str(error), "seconds": time.monotonic() - start}
        except Exception as error:
            return result | {"failure": first_line(error), "seconds": time.monotonic() - start}
    result |= {key: figures[key] for key in ("largest_error", "psnr_to_torch_db")}
    broken = TOLERANCES[FP32].broken_by(figures)
    return result | {"failure": "; ".join(broken), "seconds": time.monotonic() - start}


def done(path: Path) -> dict[str, dict[str, Any]]:
    """The results in ``path``, by case; a line that a kill has torn counts for nothing."""
    found = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        found[result["case"]] = result
    return found


def mend(path: Path) -> None:
    """Take out of ``path`` a line that a kill has torn, to which the next one would be joined."""
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        write_text_atomically(path, "".join(json.dumps(result) + "\n" for result in done(path).values()))


def remaining(chosen: Sequence[Case], forms: Sequence[Format], folder: Path) -> Iterator[tuple[Case, Format]]:
    """What has not been tried, and then again what failed: what is at fault may be mended since."""
    there = {form.name: done(folder / f"{form.name}.jsonl") for form in forms}
    failed: list[tuple[Case, Format]] = []
    for case in chosen:
        for form in forms:
            result = there[form.name].get(case.name)
            if result is None:
                yield case, form
            elif result["failure"]:
                failed.append((case, form))
    yield from failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", default=",".join(FORMATS), help=f"of {', '.join(FORMATS)} (default: all)")
    parser.add_argument("--random", default="100", metavar="N", help="random networks of each task (default: 100)")
    parser.add_argument("--minutes", default="600", metavar="N", help="after which nothing new is begun (default: 600)")
    options = parser.parse_args()
    forms = [format_named(name) for name in options.format.split(",")]
    for form in forms:
        form.require()
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = tuple(cases(parse_count("--random", options.random, 0)))
    end = time.monotonic() + 60 * parse_count("--minutes", options.minutes, 0)
    for form in forms:
        mend(options.folder / f"{form.name}.jsonl")
    for case, form in remaining(chosen, forms, options.folder):
        if time.monotonic() > end:
            break
        result = tried(case, form) | {"versions": form.versions()}
        with (options.folder / f"{form.name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(f"{form.name} {case.name}: {result['failure'] or format(result['largest_error'], '.1e')}", flush=True)
    write_tables(options.folder, chosen, {name: done(options.folder / f"{name}.jsonl") for name in FORMATS}, SIZE)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
