"""Make the photographs that come with the package: ``python -m evaluators.images.make_photographs --photos DIR``.

DIR holds the JPEG files of the Debian package lomiri-wallpapers-16.04 (its folder ``usr/share/backgrounds``). Only its
photographs under CC0 and CC-BY are used; the share-alike ones and the drawing are not. Each is reduced by 2, which also
removes most JPEG artefacts and sensor noise, and once more by 4 for denser detail, cut into tiles, and of these the
ones with the most detail are kept, up to a limit that no photograph may exceed.

The validation photographs come from scikit-image and scikit-learn, which must be installed for this and are needed
nowhere else. The result is kept in the repository; this file documents how it was made and lets it be repeated.
"""

import argparse
import io
from dataclasses import asdict, astuple, dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image

from evaluators.images.folders import load_image
from evaluators.images.resize import downscale
from space.errors import UserError
from space.files import write_atomically, write_csv_atomically

TILE_PX = 256  # 192 px patches, 48 px before x4, still find 65x65 places in it
REDUCTIONS = (2, 4)
MAX_TILES = 20  # of one photograph at one reduction
MIN_GRADIENT = 2.0  # grey levels from pixel to pixel; below are sky, walls and blurred background
JPEG_QUALITY = 95  # with 4:4:4 chroma

DEBIAN = "Debian package lomiri-wallpapers-16.04, version 20.04.0-2"
LICENCE_URLS = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-2.0": "https://creativecommons.org/licenses/by/2.0/",
    "public domain": "",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph as it was published; authors and licences are those that its package states.

    ``folder`` is where an installed Python package keeps the file, empty if it comes from the folder of photographs.
    """

    title: str
    author: str
    licence: str
    file: str
    origin: str = DEBIAN
    folder: str = ""


@dataclass(frozen=True, slots=True)
class _Credit:
    """One row of CREDITS.csv."""

    file: str
    title: str
    author: str
    licence: str
    licence_url: str
    source: str
    changes: str


TRAINING = (
    Source("aitzgorri", "Aitzol Berasategi", "CC-BY-4.0", "aitzgorri_by_Aitzol_Berasategi.jpg"),
    Source("friends", "Aitzol Berasategi", "CC-BY-4.0", "friends_by_Aitzol_Berasategi.jpg"),
    Source("life", "Aitzol Berasategi", "CC-BY-4.0", "life_by_Aitzol_Berasategi.jpg"),
    Source("picosdeeuropa", "Aitzol Berasategi", "CC-BY-4.0", "picosdeeuropa_by_Aitzol_Berasategi.jpg"),
    Source("picture-0b", 'Trevor "Freespace"', "CC-BY-4.0", "Picture_0B_by_freespace.jpg"),
    Source("picture-1a", 'Trevor "Freespace"', "CC-BY-4.0", "Picture_1A_by_freespace.jpg"),
    Source("seeding", "Clemens Engelhardt", "CC0-1.0", "seeding_by_Clements_Engelhardt.jpg"),
    Source("sunset", "Aitzol Berasategi", "CC-BY-4.0", "sunset_by_Aitzol_Berasategi.jpg"),
    Source("wine", "Jakub Mede", "CC-BY-4.0", "Wine_by_Jakkub_Mede.jpg"),
)

_SKIMAGE = ("scikit-image 0.26.0", "skimage/data")
_SKLEARN = "sklearn/datasets/images"
_CHINA = "scikit-learn 1.9.1; https://www.flickr.com/photos/danielbuechele/6061409035/"
_FLOWER = "scikit-learn 1.9.1; https://www.flickr.com/photos/vultilion/6056698931/"
VALIDATION = (
    Source("astronaut Eileen Collins", "NASA", "public domain", "astronaut.png", *_SKIMAGE),
    Source("Chelsea the cat", "Stefan van der Walt", "CC0-1.0", "chelsea.png", *_SKIMAGE),
    Source("china", "danielbuechele", "CC-BY-2.0", "china.jpg", _CHINA, _SKLEARN),
    Source("coffee cup", "Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0-1.0", "coffee.png", *_SKIMAGE),
    # The package's note names danielbuechele for this one too, but the pages it gives are vultilion's.
    Source("flower", "vultilion", "CC-BY-2.0", "flower.jpg", _FLOWER, _SKLEARN),
    Source("launch of DSCOVR on Falcon 9", "SpaceX", "public domain", "rocket.jpg", *_SKIMAGE),
)


def _make_training(photos: Path, out: Path) -> list[_Credit]:
    """Write the tiles of all training photographs to ``out/train`` and return their credits."""
    originals = [load_image(photos / source.file) for source in TRAINING]  # all, before the old tiles are removed
    folder = _emptied(out / "train")
    credits = []
    for source, photo in zip(TRAINING, originals, strict=True):
        for reduction in REDUCTIONS:
            reduced = downscale(photo, reduction)
            for top, left in detailed_tiles(reduced):
                name = f"{source.title}-{reduction}-y{top:04d}-x{left:04d}.jpg"
                tile = Image.fromarray(reduced[top : top + TILE_PX, left : left + TILE_PX])
                buffer = io.BytesIO()
                tile.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
                write_atomically(folder / name, buffer.getbuffer())
                changes = (
                    f"reduced by {reduction} (bicubic), cropped to {TILE_PX}x{TILE_PX} at row {top} and column {left}, "
                    f"saved as JPEG of quality {JPEG_QUALITY}"
                )
                credits.append(_credit(f"train/{name}", source, changes))
    return credits


def detailed_tiles(image: np.ndarray) -> list[tuple[int, int]]:
    """``(top, left)`` of the tiles of a centred grid worth training on, most detailed first."""
    rows, columns = (range(side % TILE_PX // 2, side - TILE_PX + 1, TILE_PX) for side in image.shape[:2])
    grey = image.mean(axis=2)
    scored = []
    for top in rows:
        for left in columns:
            tile = grey[top : top + TILE_PX, left : left + TILE_PX]
            gradient = (np.abs(np.diff(tile, axis=0)).mean() + np.abs(np.diff(tile, axis=1)).mean()) / 2
            if gradient >= MIN_GRADIENT:
                scored.append((gradient, (top, left)))
    return [place for _, place in sorted(scored, reverse=True)[:MAX_TILES]]


def _make_validation(out: Path) -> list[_Credit]:
    """Copy the validation photographs from their packages to ``out/val`` and return their credits."""
    originals = [(_installed(source.folder) / source.file).read_bytes() for source in VALIDATION]
    folder = _emptied(out / "val")
    credits = []
    for source, original in zip(VALIDATION, originals, strict=True):
        changes = "none"
        if source.file.endswith(".png"):
            buffer = io.BytesIO()
            Image.open(io.BytesIO(original)).convert("RGB").save(buffer, "PNG", optimize=True)
            original, changes = buffer.getvalue(), "compressed anew without loss"
        write_atomically(folder / source.file, original)
        credits.append(_credit(f"val/{source.file}", source, changes))
    return credits


def _write_credits(credits: list[_Credit], out: Path) -> None:
    """Write CREDITS.csv, sorted by file."""
    rows = (astuple(credit) for credit in sorted(credits, key=lambda credit: credit.file))
    write_csv_atomically(out / "CREDITS.csv", (asdict(credits[0]), *rows))


def _credit(file: str, source: Source, changes: str) -> _Credit:
    origin = f"{source.origin}; {source.file}"
    return _Credit(file, source.title, source.author, source.licence, LICENCE_URLS[source.licence], origin, changes)


def _installed(folder: str) -> Path:
    """The folder ``"package/inner/folder"`` of an installed package."""
    package, _, inner = folder.partition("/")
    try:
        return Path(import_module(package).__path__[0]) / inner
    except ImportError:
        raise UserError(
            f"package {package} must be installed to copy validation photographs, got none; "
            "install scikit-image and scikit-learn"
        ) from None


def _emptied(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.jpg"), *folder.glob("*.png")):
        old.unlink()
    return folder


def main() -> None:
    """Make both parts and the credits."""
    parser = argparse.ArgumentParser(prog="python -m evaluators.images.make_photographs", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder with the original photographs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "photographs", help="folder to write")
    options = parser.parse_args()
    try:
        credits = _make_training(options.photos, options.out) + _make_validation(options.out)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    _write_credits(credits, options.out)
    written = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    parser.exit(0, f"{len(credits)} photographs, {written / 1e6:.1f} MB in {options.out}\n")


if __name__ == "__main__":
    main()
