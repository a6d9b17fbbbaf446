"""Counts of the zoo to the digit: those of the papers, of the released codes, and by closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluators.costs import architecture_costs, network_costs, paper_counts
from space import TASKS, ZOO, architecture, build
from space.zoo import with_input_skip
from space.zoo.slwsr import released

HD = {2: (640, 360), 3: (427, 240), 4: (320, 180)}

# Parameters by closed form from the released graph (16 and 32 and 64 at x4 are also the papers' 144K, 571K, 2277K).
PARAMS = {
    ("s-lwsr16", 4): 143_755,
    ("s-lwsr32", 4): 571_131,
    ("s-lwsr64", 4): 2_276_827,
    ("s-lwsr128", 4): 9_091_995,
    ("s-lwsr16", 2): 134_475,
    ("s-lwsr32", 2): 534_139,
    ("s-lwsr64", 2): 2_129_115,
    ("s-lwsr16", 3): 146_075,
    ("s-lwsr32", 3): 580_379,
    ("s-lwsr64", 3): 2_313_755,
    ("s-lwsr16-no-pool", 4): 142_219,
    ("s-lwsr32-no-pool", 4): 564_987,
    ("s-lwsr64-no-pool", 4): 2_252_251,
    ("s-lwsr16-pool-11", 4): 145_035,
    ("s-lwsr32-depth", 4): 308_027,  # published: 308K
    ("s-lwsr32c", 4): 153_467,  # published: 124K; no expansion of 1 or more gets there
}


@pytest.mark.parametrize(("name", "scale"), sorted(PARAMS))
def test_parameters_are_exact(name: str, scale: int) -> None:
    network = build(ZOO[name].at_scale(scale))
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMS[name, scale]


@pytest.mark.parametrize(
    ("name", "true_g", "paper_g"), [("s-lwsr16", 10.19, 8.28), ("s-lwsr32", 39.90, 32.90), ("s-lwsr64", 157.89, 131.15)]
)
def test_macs_are_those_of_the_counter_and_of_the_paper(name: str, true_g: float, paper_g: float) -> None:
    costs = architecture_costs(ZOO[name].architecture, HD[4])
    assert round(costs.macs / 1e9, 2) == true_g
    assert round(paper_counts(ZOO[name], costs, HD[4]).macs_paper_rule / 1e9, 2) == paper_g


@pytest.mark.parametrize(
    ("width", "scale", "true_g"), [(16, 2, 31.06), (32, 2, 123.22), (64, 2, 490.85), (16, 3, 15.22), (64, 3, 238.10)]
)
def test_macs_at_other_scales(width: int, scale: int, true_g: float) -> None:
    # x3 at the traced 427x240 input; the closed form at 921,600 / 9 pixels gives 15.21 and 237.92.
    assert architecture_costs(ZOO[f"s-lwsr{width}"].at_scale(scale), HD[scale]).macs / 1e9 == pytest.approx(
        true_g, abs=0.01
    )


def test_depthwise_upsampler_counts() -> None:
    # Closed form of the cross with the lightweight-modules paper, the mean shifts' 9 MACs a pixel not counted.
    _, arch = released(width=16, upsampler="depthwise")
    costs = architecture_costs(arch, HD[4])
    shifts = 9 * (320 * 180 + 1280 * 720)
    assert (costs.params, round((costs.macs - shifts) / 1e9, 2)) == (127_691, 7.87)


@pytest.mark.parametrize(
    ("ratio", "replaced", "params"), [(0.25, 6, 489_147), (0.5, 13, 393_499), (0.75, 20, 297_851), (1.0, 26, 215_867)]
)
def test_inverted_replacement_counts(ratio: float, replaced: int, params: int) -> None:
    # Closed form at 32 channels and expansion 2, with biases and the mean shift.
    mixed = {"block": "residual", "convolution": "dense", "inverted_ratio": ratio, "inverted_at": "spread"}
    knobs = {
        "width": 32,
        "blocks_per_stage": 3,
        "recursion": 1,
        **({"block": "inverted", "expansion": 2} if ratio == 1 else mixed | {"inverted_expansion": 2}),
        "activation_kept": "all",
        "pool": "normal",
        "residual_scale": 1.0,
        "malle": "none",
        "attention": "none",
        "upsampler": "dense-two-step",
        "input_skip": "none",
    }
    arch = architecture(TASKS["sr"].shape(4), "symmetric", knobs)
    arch = replace(arch, ends=replace(arch.ends, mean_shift=True))
    kinds = [spec.kind for row in (*arch.settings.encoder, *arch.settings.decoder) for spec in row]
    assert kinds.count("inverted") == replaced
    assert architecture_costs(arch, HD[4]).params == params


def test_memory_of_slwsr16_is_at_the_second_pixel_shuffle() -> None:
    costs = architecture_costs(ZOO["s-lwsr16"].architecture, HD[4])
    assert costs.peak_activation_bytes == 117_964_800
    assert costs == network_costs(build(ZOO["s-lwsr16"].architecture), HD[4])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_network_with_our_skip_starts_as_interpolation(scale: int) -> None:
    from evaluators.images.resize import upscale

    network = build(with_input_skip(ZOO["s-lwsr16"].at_scale(scale)), torch.Generator().manual_seed(0))
    low = np.random.default_rng(0).integers(90, 170, (14, 15, 3), dtype=np.uint8)
    with torch.no_grad():
        output = network(torch.from_numpy(low).permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0).numpy() * 255
    inner = slice(3 * scale, -3 * scale)
    assert np.abs(output.clip(0, 255) - upscale(low, scale))[inner, inner].max() < 1.5


# Parameters in deploy form and, where the second figure is given, G multiply-adds at 1280x720 output: published
# counts, or counts of the public code named in each network's file; the last five by closed form.
COUNTS_SR = {
    ("fsrcnn", 2): (12_809, 2.87),
    ("fsrcnn", 3): (12_809, 1.28),
    ("fsrcnn", 4): (12_809, 0.72),
    ("espcn", 2): (21_284, 4.88),
    ("espcn", 3): (22_729, 2.32),
    ("espcn", 4): (24_752, 1.42),
    ("carn-m", 2): (257_051, 91.18),
    ("carn-m", 3): (303_451, 46.17),
    ("carn-m", 4): (294_171, 32.49),
    ("imdn", 2): (694_404, 158.77),
    ("imdn", 3): (703_059, 71.50),
    ("imdn", 4): (715_176, 40.89),
    ("ecbsr-m4c8", 2): (2_748, 0.61),
    ("ecbsr-m4c8", 4): (3_624, 0.20),
    ("ecbsr-m4c16", 2): (10_100, 2.29),
    ("ecbsr-m4c16", 4): (11_840, 0.67),
    ("ecbsr-m10c32", 2): (94_308, 21.57),
    ("ecbsr-m10c32", 4): (97_776, 5.59),
    ("ecbsr-m16c64", 2): (594_884, 136.56),
    ("ecbsr-m16c64", 4): (601_808, 34.54),
    ("smfanet", 2): (185_628, 38.79),  # published: 186K
    ("smfanet", 3): (190_503, 17.75),  # published: 191K
    ("smfanet", 4): (197_328, 10.37),  # published: 197K
    ("span-28", 4): (150_688, 8.64),
    ("span-48", 2): (410_700, 94.39),
    ("span-48", 4): (426_288, 24.49),
    ("spanv2", 4): (139_104, 8.01),
    ("pds", 4): (141_748, 8.13),
    ("disp", 4): (163_792, 9.40),
    ("dscf", 4): (125_992, 7.22),
    ("zenosr", 2): (37_138, 8.82),
    ("zenosr", 3): (37_408, 4.06),
    ("zenosr", 4): (37_786, 2.37),
    ("vscinet", 2): (50_745, 12.24),
    ("vscinet", 3): (51_045, 5.56),
    ("vscinet", 4): (51_465, 3.18),
    ("plainusr-s", 4): (68_612, 3.68),  # its authors' file
    ("plainusr-m", 4): (165_492, 8.62),  # its authors' file
    ("plainusr", 4): (333_108, 16.41),
    ("safmn", 2): (227_820, 51.48),  # published: 228K
    ("safmn", 4): (239_520, 13.54),  # published: 240K
    ("rlfn-s", 4): (470_208, 25.59),
    ("rlfn", 4): (543_740, 29.82),
    ("rlfn-ntire", 4): (317_218, 17.28),
    ("bsrn-s", 4): (155_616, 8.26),
    ("bsrn", 4): (351_824, 19.14),
    ("srresnet", 4): (1_546_435, 127.77),
    ("srresnet-lite", 4): (112_467, 21.92),
    ("srresnet-lite-subpixel", 4): (118_995, 20.91),
    ("srresnet-lite-depthwise", 4): (142_451, 24.28),
    ("srresnet-lite-dense", 4): (403_315, 61.86),
}


@pytest.mark.parametrize(("name", "scale"), sorted(COUNTS_SR))
def test_counts_of_super_resolution_are_exact(name: str, scale: int) -> None:
    costs = architecture_costs(ZOO[name].at_scale(scale), HD[scale])
    assert (costs.params, round(costs.macs / 1e9, 2)) == COUNTS_SR[name, scale]


def test_counts_with_attention_in_windows_are_those_of_the_challenge() -> None:
    # NTIRE 2026, results.txt: 2.68 and 3.30 G at 256x256. Its counter, fvcore, also counts one for every number that a
    # nearest enlargement gives, and does not know the convolutions that VSCINet pads by the word "same": 57 weights for
    # each of 5 channels in 16 multi-scale convolutions.
    pixels = 256**2
    macs = {name: architecture_costs(ZOO[name].architecture, (256, 256)).macs for name in ("zenosr", "vscinet")}
    assert round((macs["zenosr"] + 4 * 9 * pixels) / 1e9, 2) == 2.68
    assert round((macs["vscinet"] + 5 * 10 * pixels - 16 * 5 * 57 * pixels) / 1e9, 2) == 3.30


@pytest.mark.parametrize(
    ("name", "scale", "params", "macs_g"),
    [
        ("fsrcnn", 2, 12_809, 6.01),
        ("fsrcnn", 3, 12_809, 5.00),  # 4.99 at 1280x720 / 9 pixels, which is no image
        ("fsrcnn", 4, 12_809, 4.64),
        ("carn-m", 4, 414_811, None),
        ("carn-m", 2, 414_811, None),
        ("bsrn-s", 4, 156_288, None),
        ("bsrn", 4, 352_400, None),
        ("srresnet", 4, 1_542_528, None),
        ("srresnet-lite", 4, 107_824, None),
        ("srresnet-lite-subpixel", 4, 113_968, None),
        ("srresnet-lite-depthwise", 4, 137_360, None),
        ("srresnet-lite-dense", 4, 398_352, None),
    ],
)
def test_counts_by_the_papers_own_rule(name: str, scale: int, params: int, macs_g: float | None) -> None:
    entry = ZOO[name]
    counts = paper_counts(entry, architecture_costs(entry.at_scale(scale), HD[scale]), HD[scale], scale)
    assert counts.params_paper_rule == params
    assert (counts.macs_paper_rule and round(counts.macs_paper_rule / 1e9, 2)) == macs_g


# Parameters as deployed, and by the source's rule; MACs at 256x256 in units of 10^9, rounded as the source rounds them.
# From the fact sheets of the papers: counted from the released codes, or identified by count.
COUNTS_RESTORE = {
    "dncnn": (555_072, 556_032, 36.31),
    "dncnn-list": (35_472, 37_392, 2.23),
    "dncnn-color": (557_376, 558_336, 36.47),
    "dncnn-list-color": (37_776, 39_696, 2.38),
    "dncnn-s": (555_137, 555_137, 36.31),
    "dncnn-b": (665_921, 665_921, None),
    "dncnn-b-color": (668_227, 668_227, None),
    "ffdnet": (485_316, 485_316, 7.94),
    "ffdnet-color": (852_108, 852_108, 13.9),
    "ircnn": (185_857, 185_857, 12.2),
    "ircnn-color": (188_163, 188_163, None),
    "cbdnet": (4_365_382, 4_362_496, 37.06),
    "cbdnet-non-blind": (4_335_875, 4_333_120, None),
    "cbdnet-lite": (432_390, 428_352, None),
    "cbdnet-lite-non-blind": (402_883, 398_976, None),
    "cbdnet-lite-bilinear": (300_326, 296_096, None),
    "glcic": (6_066_179, 6_063_200, 32.55),
    "glcic-lite": (537_795, 534_336, None),
    "glcic-lite-strided": (1_514_275, 1_510_960, None),
    "glcic-lite-list": (343_747, 340_032, None),
    "pmrid": (1_031_908, 1_031_908, 0.981),
    "prn-r": (21_123, 21_123, None),
    "prn": (95_107, 95_107, None),
    "prenet-r": (94_979, 94_979, None),
    "prenet": (168_963, 168_963, None),
}


def meta_parameters(name: str) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(ZOO[name].architecture).parameters())


@pytest.mark.parametrize("name", COUNTS_RESTORE)
def test_counts_of_restoration_are_exact(name: str) -> None:
    deployed, by_rule, macs_g = COUNTS_RESTORE[name]
    costs = architecture_costs(ZOO[name].architecture, (256, 256))
    assert (costs.params, paper_counts(ZOO[name], costs, (256, 256)).params_paper_rule) == (deployed, by_rule)
    if macs_g is not None:
        digits = len(str(macs_g).partition(".")[2])
        assert round(costs.macs / 1e9, digits) == macs_g


def test_rlfn_of_the_challenge_counts_as_its_repository_prints() -> None:
    # README: 0.317 M parameters, 19.70 G at 256x256, which counts activations and poolings too.
    costs = architecture_costs(ZOO["rlfn-ntire"].architecture, (256, 256))
    assert (costs.params, round(costs.macs / 1e9, 2)) == (317_218, 19.66)


def test_training_forms_of_the_identified_baselines_count_as_their_ports() -> None:
    trained = {name: meta_parameters(name) for name in ("glcic", "cbdnet", "dncnn-s")}
    assert trained == {"glcic": 6_072_131, "cbdnet": 4_365_382, "dncnn-s": 557_057}


@pytest.mark.parametrize(("name", "macs_g"), [("prn-r", 523.9), ("prn", 523.9), ("prenet-r", 931.6), ("prenet", 931.6)])
def test_recursive_networks_cost_what_is_stated_at_720p_and_more_with_every_stage(name: str, macs_g: float) -> None:
    arch = ZOO[name].architecture
    assert round(architecture_costs(arch, (1280, 720)).macs / 1e9, 1) == macs_g
    stages = {n: replace(arch, settings=replace(arch.settings, stages=n)) for n in (1, 2, 4)}
    costs = {n: architecture_costs(stages[n], (16, 16)) for n in stages}
    assert {c.macs for n, c in costs.items()} == {n * costs[1].macs for n in stages}
    assert {c.params for c in costs.values()} == {COUNTS_RESTORE[name][0]}


def test_prn_at_64x64_by_stages() -> None:
    arch = ZOO["prn"].architecture
    macs = [
        architecture_costs(replace(arch, settings=replace(arch.settings, stages=n)), (64, 64)).macs for n in (5, 6, 7)
    ]
    assert [round(value / 1e9, 2) for value in macs] == [1.94, 2.33, 2.72]
