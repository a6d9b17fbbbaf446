"""What is known of the noise level: maps as input, and specialists for parts of a range."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from evaluators import data
from evaluators.images.folders import NamedImage
from evaluators.quality import baseline, evaluate
from evaluators.tasks import RULES, Pair, TaskRules, rules_of
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from evaluators.training.weights import save_weights
from search.cli import main
from space import TASKS, ZOO, UserError, build
from space.specialists import Specialists

PLAN = TrainingPlan(batch=2, patch_px=8, warmup_steps=3)
FP32 = Precision("cpu", None, True, "test")
RANGES = [rules_of("denoise", options={"sigma": [0, 50]}), rules_of("raw-denoise")]


@pytest.fixture(scope="module")
def photographs() -> tuple[NamedImage, ...]:
    generator = np.random.default_rng(0)
    return tuple(NamedImage(name, generator.integers(256, size=(40, 44, 3)).astype(np.uint8)) for name in "abcd")


# Maps.


@pytest.mark.parametrize("channels", ["colour-noise-map", "grey-noise-map"])
def test_the_map_is_the_level_and_the_noise_is_the_same_as_without(channels: str, photographs) -> None:
    sigma = {"sigma": [0, 50]}
    told = rules_of("denoise", options={"channels": channels, **sigma})
    blind = rules_of("denoise", options={"channels": channels.removesuffix("-noise-map"), **sigma})
    assert told.title == f"{blind.title}, noise map"
    pairs, others = (data.validation_pairs(photographs, rules) for rules in (told, blind))
    for pair, other, level in zip(pairs, others, (6.25, 18.75, 31.25, 43.75), strict=True):
        assert np.array_equal(pair.degraded[..., :-1], other.degraded)
        assert np.unique(pair.degraded[..., -1]) == pytest.approx([level / 255])
    assert baseline(pairs, told).psnr_db == baseline(others, blind).psnr_db
    clean = torch.full((6, blind.shape.out_channels, 64, 64), 0.5)
    degraded, target = told.degrade.finish_patches(clean, clean, np.random.default_rng(0))
    deviations = (degraded[:, :-1] - target).std(dim=(1, 2, 3))
    assert torch.allclose(deviations, degraded[:, -1, 0, 0], rtol=0.1)
    assert torch.equal(degraded[:, -1].amin((1, 2)), degraded[:, -1].amax((1, 2)))
    assert len(degraded[:, -1].unique()) == 6


def test_pairs_have_no_known_level_for_a_map(tmp_path: Path) -> None:
    for kind in ("real", "mean"):
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / f"a_{kind}.png")
    assert len(data.validation_images(tmp_path, rules_of("denoise"))) == 1
    with pytest.raises(UserError, match=r"^[^\n]*not known, cannot serve denoise σ 25, noise map, got [^\n]*$"):
        data.validation_images(tmp_path, rules_of("denoise", options={"channels": "colour-noise-map"}))


@pytest.mark.parametrize("name", ["ffdnet", "cbdnet-non-blind"])
def test_a_network_with_a_map_is_evaluated(name: str, tmp_path: Path, photographs, capsys) -> None:
    (tmp_path / "photos").mkdir()
    for image in photographs[:2]:
        Image.fromarray(image.pixels).save(tmp_path / "photos" / f"{image.name}.png")
    save_weights(tmp_path / "w.safetensors", build(ZOO[name].architecture), {})
    words = ["--weights", str(tmp_path / "w.safetensors"), "--data", str(tmp_path / "photos"), "--sigma", "15"]
    assert main(["evaluate", name, *words]) == 0
    assert "denoise σ 15" in capsys.readouterr().out
    assert main(["evaluate", name, *words, "--channels", "colour"]) == 2
    assert "noise-map, got colour; choose another network" in capsys.readouterr().err


def test_one_plane_is_the_level_of_every_channel_for_cbdnet() -> None:
    network = build(ZOO["cbdnet-non-blind"].architecture).eval()
    image, plane = torch.rand(1, 3, 12, 9), torch.full((1, 1, 12, 9), 0.1)
    nn.init.normal_(network.last.weight)
    with torch.no_grad():
        one, three = (network(torch.cat((image, *[plane] * count), 1)) for count in (1, 3))
        other = network(torch.cat((image, 2 * plane), 1))
    assert torch.equal(one, three)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name, paper in ZOO.items() if paper.task == "denoise"])
def test_every_denoiser_has_channels_of_its_task(name: str) -> None:
    shape = ZOO[name].architecture.shape
    assert (shape.in_channels, shape.out_channels) in TASKS["denoise"].channels.values()


# Parts of a range.


@pytest.mark.parametrize("rules", RANGES, ids=lambda rules: rules.task)
def test_parts_cover_the_range_and_hold_the_pictures_of_their_levels(rules: TaskRules, photographs) -> None:
    option = "sigma" if rules.task == "denoise" else "shot"
    parts = [getattr(part, option) for part in rules.degrade.divided(3)]
    assert (parts[0][0], parts[-1][1]) == pytest.approx(getattr(rules, option))
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    widths = [math.log(high / low) if option == "shot" else high - low for low, high in parts]
    assert widths == pytest.approx([widths[0]] * 3)
    levels = [pair.level for pair in data.validation_pairs(photographs, rules)]
    assert levels == [0.125, 0.375, 0.625, 0.875]
    assert math.isnan(Pair("a", photographs[0].pixels, photographs[0].pixels).level)
    flat = torch.full((64, rules.shape.out_channels, 16, 16), 0.5)
    spread = [
        (part.degrade.finish_patches(flat, flat, np.random.default_rng(0))[0] - 0.5).std(dim=(1, 2, 3))
        for part in rules.degrade.divided(3)
    ]
    assert all(before.max() < after.min() * 1.2 for before, after in pairwise(spread))


def test_without_a_range_there_is_nothing_to_divide() -> None:
    fixed = [rules_of("denoise"), rules_of("raw-denoise", options={"shot": [0.001, 0.001]})]
    others = [rules_of(task) for task in RULES if task not in ("denoise", "raw-denoise")]
    assert all(rules.degrade.divided(2) == () for rules in (*fixed, *others))


class Constant(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, self.value)


def test_a_picture_is_restored_by_the_network_of_its_level(photographs) -> None:
    rules = RANGES[0]
    grey = NamedImage("grey", np.full((32, 32, 3), 51, np.uint8))
    pairs = data.validation_pairs([grey] * 4, rules)
    pairs = [Pair(str(index), pair.degraded, pair.target, level=pair.level) for index, pair in enumerate(pairs)]
    quality = evaluate(Specialists([Constant(0.2), Constant(0.4), Constant(0.2), Constant(0.4)]), pairs, rules)
    assert [value > 60 for value in quality.psnr_db_by_image.values()] == [True, False, True, False]
    unknown = [Pair("a", pairs[0].degraded, pairs[0].target)]
    with pytest.raises(UserError, match="must be told the noise level"):
        evaluate(Specialists([Constant(0.2), Constant(0.4)]), unknown, rules)


def a_trainer(photographs, norm: bool = False) -> Trainer:
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), *[nn.BatchNorm2d(3)] * norm) for _ in range(2)]
    pool = data.training_pool(photographs, RANGES[0])
    return Trainer(Specialists(layers), data.pools_of(pool, RANGES[0], 2), PLAN, FP32, seed=4)


def test_specialists_take_turns_and_share_the_steps(photographs) -> None:
    trainer, seen = a_trainer(photographs), []
    for index, network in enumerate(trainer.network.networks):
        network.register_forward_hook(lambda _module, inputs, _output, index=index: seen.append((index, inputs[0])))
    before = [network[0].weight.clone() for network in trainer.network.networks]
    trainer.train_to(40)
    assert [index for index, _ in seen] == [0, 1] * 20
    # Noise of 8-bit pictures: beyond [0, 1] it shows, and more of it where sigma is 25 to 50.
    beyond = [np.mean([((x < 0) | (x > 1)).float().mean() for turn, x in seen if turn == index]) for index in (0, 1)]
    assert beyond[0] < beyond[1]
    assert not any(torch.equal(old, net[0].weight) for old, net in zip(before, trainer.network.networks, strict=True))


def test_trained_specialists_continue_bit_for_bit(photographs, tmp_path: Path) -> None:
    whole, first = a_trainer(photographs, norm=True), a_trainer(photographs, norm=True)
    whole.train_to(7)
    first.train_to(3)
    first.save(tmp_path / "checkpoint")
    again = a_trainer(photographs, norm=True)
    pools = data.pools_of(data.training_pool(photographs, RANGES[0]), RANGES[0], 2)
    second = Trainer.load(tmp_path / "checkpoint", again.network, pools, FP32)
    second.train_to(7)
    for ours, theirs in zip(whole.averaged_network().parameters(), second.averaged_network().parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_levels_survive_the_file_between_processes(tmp_path: Path, photographs) -> None:
    pairs = (*data.validation_pairs(photographs, RANGES[1]), Pair("z", photographs[0].pixels, photographs[0].pixels))
    data.save_pairs(tmp_path / "pairs.npz", pairs)
    levels = [pair.level for pair in data.load_pairs(tmp_path / "pairs.npz")]
    assert levels[:-1] == [0.125, 0.375, 0.625, 0.875]
    assert math.isnan(levels[-1])
