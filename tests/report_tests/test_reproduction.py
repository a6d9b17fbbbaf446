"""What ``reproduce`` leaves: published figures stand only beside what they were reported on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reports.experiments.reproduction import figure, page, published_on, rows, set_title, write_reproduction
from search.experiments.loss_spec import Distil, LossSpec, TeacherName
from search.experiments.queue_file import named_training
from search.experiments.training import SetResult, Training, TrainingRecord

BSD = "B100/HR@B100/cbsd68.txt"


def training(network: str, task: str = "sr", steps: int = 1000, **words: str) -> Training:
    return named_training(network, task, words, "short", steps, 0, ("T91",), ())


def record(what: Training, **images: int) -> TrainingRecord:
    results = {
        word.replace("_HR", "/HR"): SetResult(30.0 + 0.1 * index, 0.85, 28.5, 0.8, count, word)
        for index, (word, count) in enumerate(images.items())
    }
    return TrainingRecord(
        training=what,
        params=143_755,
        macs=10**10,
        peak_activation_bytes=10**8,
        input_size=(320, 180),
        results=results,
        train_s=75.0,
        train_data="T91: folder T91, 91 images, 0123456789ab",
        environment={"device": "CPU X", "commit": "abc1234"},
        command="python -m search queue jobs.csv",
        finished="2026-01-01T00:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("what", "word", "images", "psnr_db"),
    [
        (("s-lwsr16",), "Set5/HR", 5, 31.62),
        (("s-lwsr16+skip",), "Set5", 5, 31.62),
        (("dncnn-s", "denoise", "25"), "Set12", 12, 30.44),
        (("dncnn-s", "denoise", "50"), "Set12", 12, 27.18),
        (("dncnn-s", "denoise", "25"), BSD, 68, 29.23),
        (("dncnn-b-color", "denoise", "25"), BSD, 68, 31.24),
    ],
)
def test_published_figures(what: tuple[str, ...], word: str, images: int, psnr_db: float) -> None:
    words = {"sigma": what[2]} if len(what) == 3 else {}
    found = published_on(training(what[0], *what[1:2], **words), word, images)
    assert found is not None
    assert found.psnr_db == psnr_db


@pytest.mark.parametrize(
    ("network", "words", "word", "images"),
    [
        ("s-lwsr16", {}, "Set5/HR", 4),
        ("s-lwsr16", {}, "Set5/HR:2", 5),
        ("s-lwsr16", {}, "Set5/HR!img_005", 5),
        ("s-lwsr16", {}, "Set5/LR_bicubic_x4", 5),
        ("s-lwsr16", {}, "B100/HR@B100/cbsd68.txt", 68),
        ("s-lwsr16", {}, "photos/Set5", 5),
        ("s-lwsr16", {}, "embedded", 6),
        ("s-lwsr16:upsampler=grouped", {}, "Set5/HR", 5),
        ("s-lwsr16", {"scale": "3"}, "Set5/HR", 5),
    ],
)
def test_nothing_was_published_of_anything_else(network: str, words: dict, word: str, images: int) -> None:
    assert published_on(training(network, **words), word, images) is None


def test_no_figure_of_another_noise() -> None:
    for sigma in ("20", "0-50"):
        assert published_on(training("dncnn-s", "denoise", sigma=sigma), "Set12", 12) is None


def test_what_a_search_found_has_no_published_figures_and_a_teacher_is_named() -> None:
    own = training("s-lwsr16")
    teacher = TeacherName("smfanet+", "teacher.pth", "0123456789abcdef")
    taught = replace(own, loss=LossSpec(Distil("output", 1.0, teacher)))
    found = replace(own, name="found/a")
    table = rows([record(each, Set5_HR=5) for each in (own, taught, found)])
    assert table["network"].tolist() == ["s-lwsr16", "s-lwsr16, taught by smfanet+", "found/a"]
    assert table["published_psnr_db"].notna().tolist() == [True, True, False]
    assert table["published_params"].notna().tolist() == [True, True, False]
    text = page([record(each, Set5_HR=5) for each in (own, taught, found)])
    assert "| s-lwsr16, taught by smfanet+ |" in text
    assert "| found/a |" in text
    assert text.startswith("# Networks, trained under one protocol")
    assert page([record(own, Set5_HR=5)]).startswith("# Published networks, trained under one protocol")


@pytest.fixture
def records() -> list[TrainingRecord]:
    return [
        record(training("s-lwsr16"), Set5_HR=5, Urban100_first30_HR=30),
        record(training("s-lwsr16+skip:upsampler=grouped"), Set5_HR=5),
        record(training("fsrcnn"), Set5_HR=5),
        record(training("dncnn-s", "denoise", sigma="15"), Set12=12),
        record(training("dncnn-s", "denoise", sigma="50"), Set12=12),
        record(training("dncnn-color", "denoise", sigma="50"), Kodak24=24),
    ]


def test_the_page_has_a_table_per_task_noise_and_measure(records: list[TrainingRecord]) -> None:
    text = page(records)
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["sr ×4", "denoise σ 15 grey", "denoise σ 50 grey", "denoise σ 50"]
    table = {line.split(" | ")[0]: line for line in text.splitlines() if line.startswith("| ")}
    ours = table["| s-lwsr16"]
    assert ours.startswith("| s-lwsr16 | 143,755 | -0.2% | 10.00 | -0.2% | 1,000 | 75 s | 30.00 / 0.8500 | 31.62 / ")
    assert ours.endswith("(published: all 100) |")
    assert table["| s-lwsr16+skip:upsampler=grouped"].endswith("30.00 / 0.8500 | – | – | – |")
    assert "| *bicubic* | – | – | – | – | – | – | 28.50 / 0.8000 | – | 28.50 / 0.8000 | – |" in text
    assert "30.00 / 0.8500 | 27.18 |" in text
    assert "Commands: `python -m search queue jobs.csv`." in text


def test_files_and_rows(records: list[TrainingRecord], tmp_path: Path) -> None:
    write_reproduction(tmp_path, records)
    pictures = {"sr-x4", "denoise-sigma-15-grey", "denoise-sigma-50-grey", "denoise-sigma-50"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "reproduction.csv",
        *(f"psnr-{name}.png" for name in pictures),
    }
    text = (tmp_path / "README.md").read_text()
    assert all(f"(psnr-{name}.png)" in text for name in pictures)
    table = pd.read_csv(tmp_path / "reproduction.csv")
    assert len(table) == 7
    first = table.iloc[0]
    assert (first.network, first.test, first.published_psnr_db, first.published_params) == (
        "s-lwsr16",
        "Set5/HR",
        31.62,
        144_000,
    )
    assert (first.published_macs, first.params_by_paper_rule) == (8.3e9, 143_755)
    assert (first.steps, first.protocol, first.seed, first.train_s) == (1000, "short", 0, 75.0)
    assert table.published_note.dropna().tolist() == ["published: all 100"]
    turned = table[table.network.str.contains(":")].iloc[0]
    assert pd.isna(turned.published_params)
    assert pd.isna(turned.published_psnr_db)


def test_published_sizes_are_of_the_same_scale() -> None:
    (row,) = rows([record(training("s-lwsr16", scale="3"), Set5_HR=5)]).to_dict("records")
    assert row["published_params"] is None


def drawn(records: list[TrainingRecord]):
    return figure(rows(records), records[0].training.rules)


def test_the_figure_has_a_star_only_where_something_was_published(records: list[TrainingRecord]) -> None:
    set5, urban = drawn(records[:3]).axes
    stars = [sum(line.get_marker() == "*" for line in axes.lines) for axes in (set5, urban)]
    assert stars == [2, 1]
    assert "published: all 100" in urban.get_title()
    assert set5.get_xlabel() == "PSNR on Y, dB"


def test_sets_go_by_the_names_of_the_papers() -> None:
    grey, colour = training("dncnn-s", "denoise", sigma="25").rules, training("dncnn-color", "denoise").rules
    assert [set_title(word, grey) for word in ("Set12", "Set5/HR", BSD, "mine")] == ["Set12", "Set5", "BSD68", "mine"]
    assert set_title(BSD, colour) == "CBSD68"


def test_both_forms_of_a_network_stand_in_one_row() -> None:
    both = [record(training(name), Set5_HR=5) for name in ("s-lwsr16", "s-lwsr16+skip")]
    (axes,) = drawn(both).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["s-lwsr16  144k"]
    assert [line.get_marker() for line in axes.lines if line.get_marker() in "oD*"] == ["o", "*", "D"]
    (axes,) = drawn([*both, record(training("s-lwsr16+skip", steps=4000), Set5_HR=5)]).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["after 1,000 steps", "s-lwsr16  144k", "after 4,000 steps", "s-lwsr16  144k"]
    assert axes.figure.legends[0].texts[0].get_text() == "bicubic, no network"


def test_what_diverged_does_not_stretch_the_axis() -> None:
    good, bad = (record(training(name), Set5_HR=5) for name in ("s-lwsr16", "fsrcnn"))
    bad = bad.with_result("Set5/HR", replace(bad.results["Set5/HR"], psnr_db=7.04))
    (axes,) = drawn([good, bad]).axes
    assert [text.get_text() for text in axes.texts] == ["◂ 7.0"]
    assert axes.get_xlim()[0] > 25
    assert "| 7.04 / 0.8500 |" in page([good, bad])


def test_without_test_sets_there_is_a_table_and_no_figure(tmp_path: Path) -> None:
    write_reproduction(tmp_path, [record(training("s-lwsr16"))])
    assert "| s-lwsr16 | 143,755 |" in (tmp_path / "README.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "reproduction.csv"}
