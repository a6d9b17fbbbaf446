"""Words for networks and data, queue files, and which trainings count as the same."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.costs import architecture_costs
from evaluators.images.folders import NamedImage
from evaluators.tasks import rules_of
from evaluators.training.plan import TrainingPlan
from search.experiments.ablations import ABLATIONS, comparison
from search.experiments.data_specs import check_apart, describe, pictures, spec_anywhere
from search.experiments.network_specs import forms, named_architecture
from search.experiments.protocols import PROTOCOLS
from search.experiments.queue_file import COLUMNS, read_queue
from search.experiments.reproduction import cheapest_first, chosen, trainings
from search.experiments.trainables import UserNetwork
from search.experiments.training import Training
from space.errors import UserError
from space.zoo import ZOO, published_network, with_input_skip

SR = rules_of("sr", 2)
FIRST = "ecbsr-m4c8,sr,scale=2,short,8,0,embedded,embedded"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """``photos`` with a.png, b.png and c.png of 80x64, and a list of two of them."""
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for name in "abc":
        small = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        small.resize((80, 64), Image.Resampling.BICUBIC).save(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "two.txt").write_text("c\na\n")
    return tmp_path


def names(word: str, root: Path | None) -> list[str]:
    return [picture.name for picture in pictures(word, root, SR, validates=False)]


# Networks.


def test_a_name_means_the_papers_own_network_and_its_skip() -> None:
    assert named_architecture("s-lwsr16", 4) == ZOO["s-lwsr16"].architecture
    assert named_architecture("s-lwsr16+skip", 4) == with_input_skip(ZOO["s-lwsr16"].architecture)
    assert named_architecture("fsrcnn", 3) == ZOO["fsrcnn"].at_scale(3)


def test_a_turned_knob_changes_that_and_nothing_else() -> None:
    plain, turned = named_architecture("s-lwsr16+skip", 4), named_architecture("s-lwsr16+skip:upsampler=grouped", 4)
    assert turned.ends.upsampler.kind == "grouped"
    assert replace(turned, ends=replace(turned.ends, upsampler=plain.ends.upsampler)) == plain
    two = named_architecture("s-lwsr16:width=8,blocks_per_stage=1", 2)
    assert (two.settings.width, two.shape.scale, two.ends.input_skip) == (8, 2, "none")
    own = named_architecture("s-lwsr16:upsampler=dense-two-step", 4)
    assert own == ZOO["s-lwsr16"].architecture


def test_a_published_network_that_is_no_point_of_the_space_takes_other_sizes() -> None:
    own, wide = named_architecture("zenosr", 4), named_architecture("zenosr:width=32", 4)
    assert wide == replace(own, settings=replace(own.settings, width=32))
    assert architecture_costs(wide, (64, 36)).params == 105_392
    both = named_architecture("smfanet:width=32,blocks=6", 2)
    assert (both.settings.width, both.settings.blocks, both.shape.scale) == (32, 6, 2)


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("s-lwsr17", "unknown network 's-lwsr17'"),
        ("s-lwsr16:upsampler=wide", "upsampler of s-lwsr16 must be one of dense-two-step"),
        ("s-lwsr16:taste=salty", "with one of width"),
        ("s-lwsr16:upsampler", "NAME=VALUE"),
        ("s-lwsr16:inverted_ratio=0.5", "must say inverted_expansion"),
        ("glcic:width=8", "glcic has no knobs"),
        ("zenosr:breadth=32", "NAME=NUMBER with one of width, blocks, got 'breadth=32'"),
        ("zenosr:width=wide", "width of zenosr must be"),
        ("zenosr:width=0", "width of zenosr must be"),
        ("zenosr:width=4096", "width of zenosr must be"),
        ("zenosr:width=17", "zenosr"),
        ("carn-m:width=63", "carn-m"),
        ("imdn:width=13", "imdn cannot have the sizes of 'imdn:width=13': "),
        ("fsrcnn+skip", "+skip is for networks"),
        ("progressive-6+skip", "+skip is for networks"),
    ],
)
def test_a_network_that_is_not_there_is_one_line(word: str, part: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        named_architecture(
            word, published_network(word.partition(":")[0].removesuffix("+skip")).architecture.shape.scale
        )
    assert part in str(caught.value)


def test_forms_are_those_that_can_have_a_skip_of_ours() -> None:
    assert forms(ZOO["s-lwsr16"], 4) == ("s-lwsr16", "s-lwsr16+skip")
    assert forms(ZOO["fsrcnn"], 4) == ("fsrcnn",)
    assert forms(ZOO["progressive-6"], 1) == ("progressive-6",)


# Data.


def test_words_for_data_choose_pictures(root: Path) -> None:
    assert names("photos", root) == ["a.png", "b.png", "c.png"]
    assert names("photos!b", root) == ["a.png", "c.png"]
    assert names("photos!b!a", root) == ["c.png"]
    assert names("photos@two.txt", root) == ["c.png", "a.png"]
    assert names("photos@two.txt!c", root) == ["a.png"]
    assert pictures("photos:2", root, SR, validates=False)[0].pixels.shape == (32, 40, 3)
    assert len(pictures("embedded", None, SR, validates=True)) == 6


def test_the_description_names_the_word_and_changes_with_the_pixels(root: Path) -> None:
    def described(word: str) -> str:
        return describe(word, root, pictures(word, root, SR, validates=False), SR, validates=False)

    assert described("photos!b").startswith("photos!b: folder photos, 2 images, ")
    assert described("photos:2").split()[-1] != described("photos").split()[-1]


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("", "data must be embedded or FOLDER"),
        ("photos:9", "data must be embedded or FOLDER"),
        ("photos@", "data must be embedded or FOLDER"),
        ("../photos", "by a path below --data"),
        ("photos@../two.txt", "by a path below --data"),
        ("/photos", "by a path below --data"),
        ("paintings", "paintings"),
        ("photos!z", "must be a picture of its folder, got 'z'"),
        ("photos@three.txt", "three.txt"),
    ],
)
def test_data_that_is_not_there_is_one_line(root: Path, word: str, part: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        pictures(word, root, SR, validates=False)
    assert part in str(caught.value)


def test_a_list_must_name_pictures_of_the_folder(root: Path) -> None:
    for text, part in (("a\nz\n", "'z'"), ("", "an empty list")):
        (root / "two.txt").write_text(text)
        with pytest.raises(UserError, match=part):
            pictures("photos@two.txt", root, SR, validates=False)


@pytest.mark.parametrize(
    "content",
    [
        b"c\na\n",
        b"./c.png\r\n./a.png\r\n",
        b"\xef\xbb\xbfc.png\na.png",
        "c\na\n".encode("utf-16"),
        b"\xfe\xff" + "c\r\na".encode("utf-16-be"),
        b"# a set\n\n  c.png  \n\t\n#b\na\n\n",
        b"c\ra\r",
        b".\\c.png\n.\\a.png\n",
    ],
)
def test_a_list_of_any_editor_is_read(root: Path, content: bytes) -> None:
    (root / "two.txt").write_bytes(content)
    assert names("photos@two.txt", root) == ["c.png", "a.png"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a\n\nz.png\n", "two.txt, line 3: every name must be a picture of its folder, got 'z.png'"),
        (b"a\na.png\n", "two.txt, line 2: every picture must stand there once, got a.png of line 1 again"),
        (b"a\n../photos/b.png\n", "two.txt, line 2: must be the name of a picture of its folder, got '../ph"),
        (b"/etc/passwd\n", "two.txt, line 1: must be the name of a picture of its folder"),
        (b"a b c\n", "line 1: every name must be a picture of its folder, got 'a b c'"),
        (b"# nothing\n\n", "an empty list"),
        ("a\nb".encode("utf-16-le"), "two.txt, line 1: must be text, got a NUL byte"),
        (b"x" * 100_000, "(100,000 characters)"),
        (b"\xff\xfea", "two.txt, line 1: must be text in UTF-8 or UTF-16"),
    ],
)
def test_a_list_that_cannot_be_followed_is_one_line(root: Path, content: bytes, part: str) -> None:
    (root / "two.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        pictures("photos@two.txt", root, SR, validates=False)
    assert part in str(caught.value)


def test_a_list_may_name_what_is_no_utf_8_or_has_two_endings(root: Path) -> None:
    for name in (b"caf\xe9.png", b"a b.png", b"a.tif"):
        shutil.copy(root / "photos" / "a.png", os.fsencode(root / "photos") + b"/" + name)
    (root / "two.txt").write_bytes(b"caf\xe9\na b\na.tif\n")
    assert names("photos@two.txt", root) == [r"caf\xe9.png", "a b.png", "a.tif"]
    (root / "two.txt").write_bytes(b"a\n")
    with pytest.raises(UserError, match=r"line 1: 'a' must mean one picture, got a\.png and a\.tif"):
        names("photos@two.txt", root)


def test_words_anywhere_mean_the_same_as_below_a_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(text: str) -> list[str]:
        return [picture.name for picture in spec_anywhere(text).pictures(SR, validates=True)]

    assert found(f"{root}/photos@{root}/two.txt") == ["c.png", "a.png"]
    monkeypatch.chdir(root)
    assert found("photos@two.txt") == found("./photos@./two.txt") == names("photos@two.txt", root)
    assert found("photos!b") == ["a.png", "c.png"]
    assert len(found("embedded")) == len(spec_anywhere(None).pictures(SR, validates=True)) == 6
    shutil.copytree("photos", "a@b:2")
    assert found("a@b:2") == ["a.png", "b.png", "c.png"]
    word = spec_anywhere("photos@two.txt")
    assert word.describe(word.pictures(SR, True), SR, True).startswith("photos@two.txt: folder photos, 2 images, ")
    with pytest.raises(UserError, match="image folder must exist, got nowhere"):
        found("nowhere@two.txt")
    with pytest.raises(UserError, match="a list of pictures must be a file, got nothing"):
        found("photos@nothing.txt")


def test_a_folder_needs_a_root() -> None:
    with pytest.raises(UserError, match="--data FOLDER"):
        pictures("photos", None, SR, validates=False)


def test_training_on_a_test_picture_is_refused_by_content(root: Path) -> None:
    train = pictures("photos", root, SR, validates=False)
    test = (NamedImage("img_001.png", train[1].pixels[:, ::-1]),)
    check_apart({"photos!b": [train[0], train[2]]}, {"Set1": test})
    with pytest.raises(UserError, match=r"b\.png of photos, .* img_001\.png of Set1 shows; .* photos!b$"):
        check_apart({"photos": train}, {"Set1": test})


# Queue files.


def queue(folder: Path, *lines: str, columns: str = ",".join(COLUMNS)) -> Path:
    path = folder / "jobs.csv"
    path.write_text("\n".join((columns, *lines)) + "\n")
    return path


def test_a_queue_is_read_in_its_order(tmp_path: Path) -> None:
    path = queue(
        tmp_path, "# first", FIRST, "", "dncnn-list, denoise, channels=grey sigma=15 ,long,9,1,embedded,", "# last"
    )
    first, second = read_queue(path)
    assert (first.name, first.rules, first.steps, first.seed) == (
        "ecbsr-m4c8",
        rules_of("sr", 2, {"channels": "y"}),
        8,
        0,
    )
    assert (first.train, first.test) == (("embedded",), ("embedded",))
    assert second.rules == rules_of("denoise", 1, {"channels": "grey", "sigma": [15.0, 15.0]})
    assert (second.protocol, second.seed, second.test) == ("long", 1, ())


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("ecbsr-m4c8,sr", "must have 8 values, got 2"),
        ('"ecbsr-m4c8,sr,,short,8,0,embedded,', "must be comma-separated values, got: unexpected end"),
        ("ecbsr-m4c8,sr,,short,1000000001,0,embedded,", "steps must be at most 1,000,000,000"),
        ("ecbsr-m4c8,sr,,short,8,9223372036854775808,embedded,", "seed must be a whole number of at most"),
        (FIRST, "ecbsr-m4c8 again"),
        ("s-lwsr17,sr,,short,8,0,embedded,", "unknown network 's-lwsr17'"),
        ("ecbsr-m4c8,denoise,,short,8,0,embedded,", "for its task sr, got 'denoise'"),
        ("ecbsr-m4c8,sr,channels=colour,short,8,0,embedded,", "--channels"),
        ("ecbsr-m4c8,sr,scale=7,short,8,0,embedded,", "got 7"),
        ("ecbsr-m4c8,sr,scale,short,8,0,embedded,", "NAME=VALUE"),
        ("ecbsr-m4c8,sr,sigma=25,short,8,0,embedded,", "--sigma is an option of denoise"),
        ("ecbsr-m4c8,sr,taste=salty,short,8,0,embedded,", "--taste is an option of no task"),
        ("ecbsr-m4c8,sr,,endless,8,0,embedded,", "got 'endless'"),
        ("ecbsr-m4c8,sr,,short,0,0,embedded,", "steps must be"),
        ("ecbsr-m4c8,sr,,short,many,0,embedded,", "got 'many'"),
        ("ecbsr-m4c8,sr,,short,8,-1,embedded,", "seed must be"),
        ("ecbsr-m4c8,sr,,short,8,0,,embedded", "train must name data"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, part: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*jobs\.csv, line 4: [^\n]*$") as caught:
        read_queue(queue(tmp_path, "# a comment", FIRST, line))
    assert part in str(caught.value)


def test_a_file_that_is_no_queue_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a queue must be a file, got .*none\.csv, which is no file"):
        read_queue(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"network,task,.*, got name,steps$"):
        read_queue(queue(tmp_path, columns="name,steps"))
    with pytest.raises(UserError, match="at least one training"):
        read_queue(queue(tmp_path))
    (tmp_path / "jobs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        read_queue(tmp_path / "jobs.csv")


@pytest.mark.parametrize(
    ("name", "first"),
    [("queue.csv", "hunt/found/c"), ("queue-cpu.csv", "s-lwsr16+skip"), ("hunt/queue.csv", "found/c")],
)
def test_the_published_queues_can_be_read(name: str, first: str) -> None:
    found = read_queue(Path(__file__).parents[2] / "reports" / "published" / name)
    assert found[0].name == first
    for training in found:
        assert "BSDS500_train!302003" in training.train  # which Set5's woman is a part of
        assert not set(training.train) & set(training.test)


# Which trainings are the same.


def training(**changes: object) -> Training:
    values = {
        "name": "ecbsr-m4c8",
        "architecture": named_architecture("ecbsr-m4c8", 2),
        "rules": rules_of("sr", 2, {"channels": "y"}),
        "protocol": "short",
        "steps": 8,
        "seed": 0,
        "train": ("embedded",),
        "test": (),
    }
    return Training(**{**values, **changes})


def test_whatever_trains_otherwise_has_a_folder_of_its_own() -> None:
    base = training()
    assert base.folder_name == training(test=("embedded",)).folder_name
    assert base.folder_name.startswith("ecbsr-m4c8-8-seed0-")
    sigma = [rules_of("denoise", 1, {"channels": "grey", "sigma": [s, s]}) for s in (15.0, 25.0)]
    denoisers = [training(architecture=named_architecture("dncnn-list", 1), rules=rules) for rules in sigma]
    others = [
        training(steps=9),
        training(seed=1),
        training(train=("photos",)),
        training(protocol="long"),
        training(architecture=named_architecture("ecbsr-m4c16", 2)),
        *denoisers,
    ]
    assert len({base.folder_name, *(other.folder_name for other in others)}) == len(others) + 1


def test_a_users_training_comes_back_from_its_record() -> None:
    """With what a queue's trainings do not have: changes of the plan, a start, validation, a network of one's own."""
    base, own = training(), UserNetwork("nets:make", training().rules.shape)
    for changes in (
        {"start": "0123", "validation": "photos", "validate_every": 5},
        {"plan_changes": (("batch", 3), ("learning_rate", 1e-4))},
        {"architecture": own, "start": "4567"},
    ):
        changed = training(**changes)
        assert changed.folder_name != base.folder_name
        assert Training.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed
    assert training(plan_changes=(("batch", 3),)).plan.batch == 3
    assert {"start", "validation", "validate_every", "plan_changes"}.isdisjoint(base.to_dict())


def test_a_training_is_validated_at_its_start_at_its_end_and_between() -> None:
    found = training(validation="embedded", validate_every=3)
    assert [step for step in range(9) if found.is_validated_after(step)] == [0, 3, 6, 8]
    assert [found.trained_until(step) for step in (0, 2, 3, 6, 7)] == [3, 3, 6, 8, 8]
    assert not any(training().is_validated_after(step) for step in range(9))
    assert training().trained_until(0) == 8


def test_a_folder_name_does_not_change_between_versions() -> None:
    """Else what was trained would be trained again. It changes with the plan of the protocol: that trains otherwise."""
    assert training().folder_name == "ecbsr-m4c8-8-seed0-70e279c8"


def test_a_recorded_training_has_the_plan_that_it_had() -> None:
    older = {"batch": 32, "patch_px": 16, "learning_rate": 0.002, "warmup_steps": 50, "ema_decay": 0.999}
    found = Training.from_dict({**training().to_dict(), "plan": older})
    assert found.plan == TrainingPlan(optimizer="adam", learning_rate=0.002, full_rate_steps=0)
    assert found.folder_name == "ecbsr-m4c8-8-seed0-3c13d172"  # as when that was the protocol's
    assert Training.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_protocols_say_how_the_steps_are_made() -> None:
    plan = SR.degrade.plan
    short, long, large = (make(SR, 500) for make in PROTOCOLS.values())
    assert short == plan
    assert (long.batch, long.patch_px, long.decay_steps) == (plan.batch, 2 * plan.patch_px, 500)
    assert large == replace(long, batch=4 * plan.batch)


# What `reproduce` trains.


def test_networks_are_chosen_by_name_by_task_or_all() -> None:
    assert [entry.name for entry in chosen(("fsrcnn", "s-lwsr16", "fsrcnn"), None, False)] == ["fsrcnn", "s-lwsr16"]
    assert {entry.task for entry in chosen((), "deblur", False)} == {"deblur"}
    assert len(chosen((), None, True)) == len(ZOO)
    for names_, task, everything in (((), None, False), (("fsrcnn",), "sr", False), ((), "sr", True)):
        with pytest.raises(UserError, match="reproduce takes names, or --task, or --all"):
            chosen(names_, task, everything)
    with pytest.raises(UserError, match="unknown task"):
        chosen((), "teleport", False)


def test_everything_can_be_asked_for() -> None:
    entries = tuple(ZOO.values())
    found = trainings(entries, {}, "short", 4, 0, ("embedded",), ("embedded",))
    assert {"s-lwsr16", "s-lwsr16+skip", "fsrcnn", "glcic"} <= {each.name for each in found}
    assert len({each.folder_name for each in found}) == len(found) > len(entries)
    with pytest.raises(UserError, match="--scale must be a whole number"):
        trainings(entries[:1], {"scale": "big"}, "short", 4, 0, ("embedded",), ())


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_variants_of_a_study_are_different_networks_or_losses(name: str) -> None:
    study = comparison(name)
    told = {(arch.key, str(study.loss(variant).decisive)) for variant, arch in study.variants.items()}
    assert len(told) == len(study.variants) > 2
    planned = study.trainings(4, 2, ("embedded",), ("embedded",))
    assert len({each.folder_name for each in planned}) == len(planned) == 2 * len(study.variants)


def test_of_all_networks_the_cheapest_is_trained_first() -> None:
    for task in ("sr", "denoise", "deblur", "raw-denoise", "inpaint"):
        asked = trainings(chosen((), task, False), {"scale": None}, "short", 10, 0, ("embedded",), ("embedded",))
        ordered = cheapest_first(asked)
        assert set(ordered) == set(asked)
        assert len(ordered) == len(asked)
    sr = trainings(chosen((), "sr", False), {"scale": None}, "short", 10, 0, ("embedded",), ("embedded",))
    names = [each.name for each in cheapest_first(sr)]
    assert names[0] == "ecbsr-m4c8"
    assert names[-1].startswith("s-lwsr128")
