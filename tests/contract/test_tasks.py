"""Every task keeps its three contracts; a new task is tested by being added to ``TASKS``."""

from __future__ import annotations

import inspect
import json
import math
import pickle
import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch

from evaluators import data
from evaluators.images.folders import NamedImage
from evaluators.quality import baseline, evaluate, measure, restore
from evaluators.tasks import RULES, TaskRules, rules_of
from evaluators.tasks.contracts import Degrade, Measure, Show
from evaluators.training.pool import PatchPool
from space.errors import UserError
from space.tasks import TASKS
from tests.small_pictures import FirstChannels, photographs

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = {"degrade": Degrade, "measure": Measure, "show": Show}
WORDS = [(task, channels) for task, entry in TASKS.items() for channels in entry.channels]
BASELINE_DB = {  # of the embedded photographs: baseline_psnr_db of reports/published/*/front.json
    "sr": 28.122,
    "denoise": 20.176,
    "deblur": 28.891,
    "raw-denoise": 39.07,
    "inpaint": 11.534,
}


@pytest.fixture(scope="module")
def images() -> tuple[NamedImage, ...]:
    return photographs()


@pytest.fixture(params=WORDS, ids="-".join)
def rules(request: pytest.FixtureRequest) -> TaskRules:
    task, channels = request.param
    return rules_of(task, options={"channels": channels})


def members(contract: type) -> set[str]:
    """Public methods, properties and attributes that ``contract`` declares."""
    return {name for name in {*vars(contract), *get_type_hints(contract)} if not name.startswith("_")}


# The contracts themselves.


def test_no_member_is_reachable_in_two_ways() -> None:
    names = [*members(Degrade), *members(Measure), *members(Show), *members(TaskRules)]
    names += [field.name for field in fields(TaskRules) if field.name not in members(TaskRules)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_member_is_asked_for(name: str) -> None:
    folders = [ROOT / package for package in ("evaluators", "search", "reports")]
    sources = [path.read_text("utf-8") for each in folders for kind in ("*.py", "*.jinja") for path in each.rglob(kind)]
    used = {word for source in sources for word in re.findall(rf"\.{name}\.(\w+)", source)}
    assert members(CONTRACTS[name]) - used == set()


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_says_when_it_is_called(name: str) -> None:
    assert re.search(r"[Aa]sked|called", inspect.getdoc(CONTRACTS[name]) or "")


# Options.


def test_every_task_has_rules() -> None:
    assert {name: rules.task for name, rules in RULES.items()} == {name: name for name in TASKS}


def test_every_option_of_a_task_is_read_by_its_rules() -> None:
    assert {name: set(task.options) for name, task in TASKS.items()} == {
        name: set(rules.option_readers) for name, rules in RULES.items()
    }
    assert all(meaning for task in TASKS.values() for meaning in task.options.values())


def test_options_survive_json_and_another_process(rules: TaskRules) -> None:
    stored = json.loads(json.dumps(rules.options))
    assert rules_of(rules.task, rules.scale, stored) == rules
    assert hash(rules_of(rules.task, rules.scale, stored)) == hash(rules)
    loss, finish = pickle.loads(pickle.dumps((rules.measure.loss, rules.degrade.finish_patches)))
    assert (loss.__func__, finish.__func__) == (rules.measure.loss.__func__, rules.degrade.finish_patches.__func__)


def test_pairs_change_words_only(rules: TaskRules) -> None:
    given = rules.of_pairs(True, True)
    assert (given.options, given.shape) == (rules.options, rules.shape)
    assert given.of_pairs(False, False) == rules


@pytest.mark.parametrize("task", [task for task in TASKS if not TASKS[task].has_scales])
def test_a_scale_where_the_size_stays_is_refused(task: str) -> None:
    with pytest.raises(UserError, match=f"--scale of {task} must be left out"):
        rules_of(task, 2)


# Degrade.


def test_training_patches_and_validation_pairs_fit_the_network(rules: TaskRules, images) -> None:
    degraded, target = data.training_pool(images, rules).sample(np.random.default_rng(1), 2, 24)
    shape = rules.shape
    assert degraded.shape == (2, shape.in_channels, 24, 24)
    assert target.shape == (2, shape.out_channels, 24 * shape.scale, 24 * shape.scale)
    assert degraded.dtype == target.dtype == torch.float32
    pair = data.validation_pairs(images, rules)[0]
    seen = rules.degrade.network_input(pair.degraded)
    assert seen.dtype == np.float32
    assert seen.shape[2] == shape.in_channels
    clean = rules.degrade.network_input(pair.target)  # in the range that networks are trained on
    assert clean.min() >= 0
    assert target.min() >= 0
    assert target.max() <= clean.max() * 1.5
    side_px = rules.degrade.plan.patch_px * rules.degrade.pixels_per_patch_pixel + 2 * rules.degrade.margin_px
    assert side_px <= rules.degrade.embedded_side_px


def test_degradation_is_the_same_for_the_same_name_and_seed(rules: TaskRules, images) -> None:
    first, again = (rules.degrade.pair(images[0]) for _ in range(2))
    assert np.array_equal(first.degraded, again.degraded)
    assert np.array_equal(first.target, again.target)
    other = rules.degrade.pair(NamedImage("other", images[0].pixels))
    has_chance = rules.task != "sr"
    assert np.array_equal(first.degraded, other.degraded) is not has_chance
    pool = data.training_pool(images, rules)
    samples = [pool.sample(np.random.default_rng(seed), 2, 16)[0] for seed in (3, 3, 4)]
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])


def test_a_pool_on_disk_gives_the_same_patches(rules: TaskRules, images, tmp_path: Path) -> None:
    pool = data.training_pool(images, rules)
    pool.save(tmp_path)
    opened = PatchPool.open(tmp_path, rules.degrade.finish_patches)
    for ours, theirs in zip(*(p.sample(np.random.default_rng(0), 2, 16) for p in (pool, opened)), strict=True):
        assert torch.equal(ours, theirs)


def test_pairs_on_disk_are_the_same(rules: TaskRules, images, tmp_path: Path) -> None:
    pairs = data.validation_pairs(images, rules)
    data.save_pairs(tmp_path / "pairs.npz", pairs)
    for ours, theirs in zip(pairs, data.load_pairs(tmp_path / "pairs.npz"), strict=True):
        assert (ours.name, ours.grey) == (theirs.name, theirs.grey)
        assert np.array_equal(ours.degraded, theirs.degraded)
        assert np.array_equal(ours.target, theirs.target)
        assert np.array_equal(ours.display, theirs.display)


def test_noise_levels_lie_in_their_range(rules: TaskRules, images) -> None:
    levels = [pair.level for pair in data.validation_pairs(images, rules)]
    parts = rules.degrade.divided(3)
    assert len(parts) in (0, 3)
    assert all(part.shape == rules.shape for part in parts)
    assert all(math.isnan(level) or 0 <= level <= 1 for level in levels)
    assert not parts or levels == [0.25, 0.75]


# Measure.


@pytest.mark.parametrize("task", BASELINE_DB)
def test_the_baseline_is_the_published_one(task: str) -> None:
    rules = rules_of(task)
    found = baseline(data.validation_pairs(data.validation_images(None, rules), rules), rules)
    assert found.psnr_db == pytest.approx(BASELINE_DB[task], abs=0.01)


@pytest.mark.parametrize("task", [task for task in TASKS if not TASKS[task].has_scales])
def test_a_network_that_changes_nothing_is_the_baseline(task: str, images) -> None:
    rules = rules_of(task)
    pairs = data.validation_pairs(images, rules)
    ours = evaluate(FirstChannels(rules.shape.out_channels, 1), pairs, rules)
    expected = baseline(pairs, rules)
    # Noisy inputs are measured without clipping and rounding, outputs with.
    assert ours.psnr_db == pytest.approx(expected.psnr_db, abs=0.6 if task == "denoise" else 0.02)
    assert ours.others_db.keys() == expected.others_db.keys()


def test_a_perfect_output_is_the_best(rules: TaskRules, images) -> None:
    pairs = data.validation_pairs(images, rules)
    perfect = measure(lambda pair: pair.target, pairs, rules)
    nearly = measure(lambda pair: (pair.target * 0.99).astype(pair.target.dtype), pairs, rules)
    without = baseline(pairs, rules)
    assert math.isfinite(perfect.psnr_db)
    assert perfect.psnr_db > nearly.psnr_db > without.psnr_db
    assert perfect.ssim == pytest.approx(1)
    assert perfect.ssim > without.ssim
    assert perfect.others_db.keys() == without.others_db.keys()
    assert all(perfect.others_db[name] > without.others_db[name] for name in without.others_db)


def test_the_loss_is_least_for_the_target(rules: TaskRules, images) -> None:
    degraded, target = data.training_pool(images, rules).sample(np.random.default_rng(1), 4, 24)
    loss = rules.measure.loss
    assert loss(target, target, degraded) < loss(target + 0.01, target, degraded) < loss(target + 0.1, target, degraded)


def test_classical_baselines_give_outputs(rules: TaskRules, images) -> None:
    pair = data.validation_pairs(images, rules)[0]
    expected = rules.measure.baseline(pair.degraded)
    for method in rules.measure.classical_baselines.values():
        assert method(pair.degraded).shape == expected.shape
    assert rules.measure.baseline_name not in rules.measure.classical_baselines


# Show.


def test_everything_is_shown_as_8_bit_rgb_of_one_size(rules: TaskRules, images) -> None:
    shape = rules.shape
    pair = data.validation_pairs(images, rules)[0]
    output = restore(FirstChannels(shape.out_channels, shape.scale), pair.degraded, rules)
    truth = rules.show.picture(pair.target, pair)
    assert truth.ndim == 3
    assert truth.shape[2] == 3
    for shown in (rules.show.picture(output, pair), rules.show.input_picture(pair), truth):
        assert shown.dtype == np.uint8
        assert shown.shape == truth.shape
    assert rules.show.window_db(truth, truth) == math.inf
    assert all(math.isfinite(value) for value in rules.show.picture_db(output, pair).values())


def test_words_are_of_the_task(rules: TaskRules) -> None:
    assert rules.title.startswith(rules.task)
    assert rules.measure.metric_name.startswith("PSNR")
    assert rules.measure.metric_rule.startswith("PSNR")
    assert rules.show.baseline_in_words.endswith(rules.measure.baseline_name)
    assert rules.show.picture_note.endswith(".")
