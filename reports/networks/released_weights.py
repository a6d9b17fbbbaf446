"""``python -m reports.networks.released_weights FOLDER --weights DIR --data DIR``: what the authors' files give here.

Every file in DIR is read; one of a network that is built here is measured on Set5 and Set14 and set beside the figure
that it must give. The files are their authors' and not part of this project; the page says where each is from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from evaluators import data
from evaluators.quality import evaluate
from evaluators.tasks import rules_of
from reports import markdown
from space.errors import UserError
from space.files import write_atomically
from space.weights import read_stored
from space.weights.loading import identified, load_stored
from space.zoo import ZOO
from space.zoo.sources import NTIRE_2026, PLAINUSR

SETS = ("Set5", "Set14")
SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")
DASH = "–"
COLUMNS = (
    "file",
    "from",
    "network",
    "parameters",
    *(f"{name}: {word}" for name in SETS for word in ("expected", "got", "off")),
    "Set14, grey as it is",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file must give: PSNR on Y in dB on Set5 and Set14, with as many border pixels left out as the scale.

    ``published`` where the authors print it, else a forward pass written apart from this project gave it. ``network``
    is its name where none of this project's is.
    """

    repository: str
    network: str
    psnr_db: tuple[float | None, float | None]
    published: bool = False


SMFANET, ETDS = "Zheng-MJ/SMFANet a05e0bb", "ECNUSR/ETDS 64ad1b8"
EXPECTED: dict[str, Expected] = {
    "smfanet-x4.pth": Expected(SMFANET, "SMFANet", (32.25, 28.71), published=True),
    "smfanet-x2.pth": Expected(SMFANET, "SMFANet", (None, None)),
    "smfanet-plus-x4.pth": Expected(SMFANET, "SMFANet+", (32.51, 28.87), published=True),
    "zenosr-x4.pth": Expected(NTIRE_2026, "ZenoSR", (31.99, 28.52)),
    "vscinet-x4.pth": Expected(NTIRE_2026, "VSCINet", (31.98, 28.54)),
    "disp-x4.pth": Expected(NTIRE_2026, "DISP", (31.94, 28.47)),
    "spanv2-x4.pth": Expected(NTIRE_2026, "SPANV2", (31.77, 28.39)),
    "pds-x4.pth": Expected(NTIRE_2026, "PDS", (31.76, 28.37)),
    "span-28-x4.pth": Expected(NTIRE_2026, "SPAN, 28 channels", (31.75, 28.41)),
    "dscf-fused-x4.pth": Expected(NTIRE_2026, "DSCF, folded", (31.74, 28.34)),
    "plainusr-s-x4.pth": Expected(PLAINUSR, "PlainUSR-S, folded", (31.57, None)),
    "plainusr-m-x4.pth": Expected(PLAINUSR, "PlainUSR-M, folded", (31.79, None)),
    "etds-l-x4.pth": Expected(ETDS, "ETDS-L", (31.69, 28.31), published=True),  # 31.71 measured apart
}
UNKNOWN = Expected(DASH, DASH, (None, None))


@dataclass(frozen=True)
class FileResult:
    """One file: what it holds, and what it gave on ``SETS``; ``psnr_db`` is empty of a network not built here.

    ``grey_db`` is the figure of Set14 with its grey picture measured as it is, as everywhere else in this project.
    """

    name: str
    expected: Expected
    network: str
    parameters: int | None
    psnr_db: tuple[float, ...] = ()
    grey_db: float | None = None


def file_result(path: Path, sets: Path) -> FileResult:
    """Read ``path`` and, where its network is built here, measure it on the folders ``SETS/HR`` in ``sets``."""
    expected = EXPECTED.get(path.name, UNKNOWN)
    try:
        stored = read_stored(path)
    except UserError as error:
        return FileResult(path.name, expected, f"refused: {error}".replace(str(path), path.name), None)
    parameters = stored.found[0].numbers
    fit = identified(stored)
    if fit is None or ZOO[fit.form.name].task != "sr":
        word = f"{expected.network}: read, network not built" if expected is not UNKNOWN else "read, network not built"
        return FileResult(path.name, expected, word if fit is None else fit.form.name, parameters)
    loaded = load_stored(fit.form.name, stored, [fit.form])
    is_luma = ZOO[loaded.name].architecture.shape.in_channels == 1
    rules = rules_of("sr", loaded.scale, {"channels": "y"} if is_luma else None)
    figures, as_it_is = [], None
    for name in SETS:
        pairs = data.validation_pairs(data.validation_images(sets / name / "HR", rules), rules)
        as_it_is = evaluate(loaded.network, pairs, rules)
        grey = tuple(replace(pair, grey=False) for pair in pairs if pair.grey)
        # The networks' authors read a grey picture as colour, whose Y has the narrower range of 16 to 235.
        coloured = as_it_is.psnr_db_by_image
        if grey:
            coloured = coloured | evaluate(loaded.network, grey, rules).psnr_db_by_image
        figures.append(fmean(coloured.values()))
    return FileResult(
        path.name, expected, f"`{loaded.name}` ×{loaded.scale}", parameters, tuple(figures), as_it_is.psnr_db
    )


def page(results: Iterable[FileResult], command: str) -> str:
    """The table in Markdown."""
    rows = list(results)
    measured = [row for row in rows if row.psnr_db]
    return "\n".join(
        (
            "# Authors' weight files, read and measured here\n",
            f"{len(rows)} files read, {len(measured)} of them of networks that are built here. PSNR on Y in dB, as "
            "many pixels left out at each border as the scale, fp32. *Expected* is what the authors publish (p) or "
            "what a forward pass written apart from this project gave, to two digits. Set14 holds one grey picture: "
            "the authors take it for colour, whose Y is scaled to 16 to 235, and its PSNR is then 1.32 dB higher, "
            "that of the set 0.094 dB. *Got* follows them; the last column measures it as it is, as this project does "
            "everywhere else and as the published bicubic of 26.00 dB does. Set5, Set14 and the files are not part of "
            f"this project.\n\nMade by `{command}`.\n",
            *markdown.table(COLUMNS, map(_cells, rows), "lll"),
            "",
        )
    )


def _cells(row: FileResult) -> Iterator[str]:
    yield from (row.name, row.expected.repository, row.network)
    yield f"{row.parameters:,}" if row.parameters else DASH
    for index, wanted in enumerate(row.expected.psnr_db):
        got = row.psnr_db[index] if row.psnr_db else None
        yield DASH if wanted is None else f"{wanted:.2f}{' p' if row.expected.published else ''}"
        yield DASH if got is None else f"{got:.3f}"
        yield DASH if got is None or wanted is None else f"{got - wanted:+.3f}"
    yield DASH if row.grey_db is None else f"{row.grey_db:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="folder of the authors' files")
    parser.add_argument("--data", type=Path, required=True, help="folder of Set5 and Set14, with HR pictures in HR/")
    options = parser.parse_args()
    files = sorted(path for path in options.weights.iterdir() if path.suffix in SUFFIXES)
    command = f"python -m reports.networks.released_weights {options.folder} --weights weights --data data"
    options.folder.mkdir(parents=True, exist_ok=True)
    results = [file_result(path, options.data) for path in files]
    write_atomically(options.folder / "README.md", page(results, command).encode())


if __name__ == "__main__":
    main()
