"""The page's pictures: exact windows, whole pictures within a size, and text of users that stays text."""

import base64
import dataclasses
import html
import io
import re

import numpy as np
import pytest
from PIL import Image

from reports.plotting.text import replace_invalid
from reports.run.front import write_front
from reports.run.gallery import PICTURES_BYTES, gallery_html
from reports.run.html import report_html, write_report
from reports.run.pareto_plot import write_pareto
from reports.run.pictures import WHOLE_PX, Crop, Strip, reduced

ODD = "<b>&\"'\udcff\x1b[31m"


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def strip(name="a.png", height=64, width=80, labels=("bicubic", "best: #7"), seed=0):
    image = noise(height, width, seed)
    crops = (Crop(label, "", image[:32, :32], whole=image, is_baseline=not i) for i, label in enumerate(labels))
    return Strip(name, tuple(crops), (0.0, 0.0, 0.4, 0.5))


def embedded(text, attribute):
    return [base64.b64decode(each) for each in re.findall(rf'{attribute}="data:image/webp;base64,([^"]*)"', text)]


def test_windows_are_exact():
    given = strip()
    (drawn,) = gallery_html((given,))
    windows = embedded(drawn, "src")
    assert len(windows) == 2
    for data, crop in zip(windows, given.crops, strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), crop.pixels)


def test_whole_pictures_have_the_picture_s_size():
    (drawn,) = gallery_html((strip(),))
    assert [Image.open(io.BytesIO(data)).size for data in embedded(drawn, "data-whole")] == [(80, 64)] * 2
    assert 'data-window="0.00 0.00 40.00 50.00"' in drawn


def test_all_pictures_together_stay_within_the_page_s_size(monkeypatch):
    assert PICTURES_BYTES * 4 / 3 < 2_600_000  # in base64, below 3 MB with all else
    room = 80_000
    monkeypatch.setattr("reports.run.gallery.PICTURES_BYTES", room)
    strips = tuple(strip(f"{seed}.png", 64, 80, ("a", "b", "c"), seed) for seed in range(6))  # noise is the worst
    first, second = gallery_html(strips[:3], strips[3:])
    wholes, windows = (embedded(first + second, name) for name in ("data-whole", "src"))
    assert len(windows) == 18
    assert 0 < len(wholes) < 18  # those of the first pictures, all forms of each
    assert len(wholes) % 3 == 0
    assert sum(map(len, wholes)) + sum(map(len, windows)) <= room


@pytest.mark.parametrize(("shape", "size"), [((600, 3000), (1024, 205)), ((3000, 600), (205, 1024)), ((9, 7), (7, 9))])
def test_a_large_picture_is_reduced(shape, size):
    image = reduced(noise(*shape))
    assert (image.shape[1], image.shape[0]) == size
    assert max(image.shape) <= WHOLE_PX


def test_a_strip_without_whole_pictures_is_only_enlarged():
    bare = Strip("f.raw", (Crop("input", "", noise(8, 8)), Crop("best", "", noise(8, 8))))
    (drawn,) = gallery_html((bare,))
    assert "data-whole" not in drawn
    assert 'data-window=""' in drawn


def test_text_of_users_stays_text_and_the_page_is_utf_8(run, tmp_path):
    settings = dataclasses.replace(run.settings, train_data=ODD, val_data=ODD)
    odd = dataclasses.replace(run, name=ODD, settings=settings, command=f"python -m search run --run-dir {ODD}")
    path = write_report(odd, tmp_path, (strip(ODD, labels=(ODD, "best")),))
    text = path.read_bytes().decode("utf-8")
    assert ODD[:5] not in text
    assert "\x1b" not in text
    assert html.escape(replace_invalid(ODD)) in text.replace("&#39;", "&#x27;").replace("&#34;", "&quot;")
    table, record = write_front(odd, tmp_path)
    for file in (table, record):
        file.read_bytes().decode("utf-8")


def test_names_of_folders_are_no_formulas_in_a_picture(run, tmp_path):
    settings = dataclasses.replace(run.settings, train_data=f"{ODD} $a_{{", val_data="$\\frac$ x")
    png, _ = write_pareto(dataclasses.replace(run, settings=settings), tmp_path, ())
    assert png.stat().st_size > 10_000


def test_printable_leaves_lines_and_other_scripts_alone():
    assert replace_invalid("größe ×4\n\tσ 25 日本") == "größe ×4\n\tσ 25 日本"
    assert replace_invalid("a\udcffb\x00\x1b") == "a\ufffdb\ufffd\ufffd"


def test_a_page_without_pictures_is_small(run):
    assert len(report_html(run).encode()) < 600_000
