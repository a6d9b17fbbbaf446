"""Every released layout through the wrappers and prefixes that checkpoints have: the contract of the readers."""

from typing import Any

import pytest
import torch

from space import ZOO, UserError, build, load_published
from space.weights.loading import load_network
from tests.released_states import released_state

CASES = [(name, index) for name, entry in ZOO.items() for index in range(len(entry.layouts))]
WRAPPED: dict[str, tuple[str, ...]] = {
    word: tuple(word.split("/"))
    for word in (
        "params",
        "params_ema",
        "state_dict",
        "model_state_dict",
        "net",
        "network",
        "generator",
        "weights",
        "ema",
        "model",
        "model/state_dict",
        "netG",
        "checkpoint/model/params",
        "a/b/c/e",
    )
}
PREFIXES = (
    "",
    "module.",
    "module.module.",
    "_orig_mod.",
    "module._orig_mod.",
    "model.",
    "net.",
    "netG.",
    "generator.",
    "model.net.",
    "student.",
)


def nested(state: Any, place: tuple[str, ...]) -> Any:
    for word in reversed(place):
        state = {"epoch": 3, word: state, "optimizer": {"state": {0: {"exp_avg": torch.ones(4)}}, "lr": 0.1}}
    return state


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_every_layout_is_read_wrapped_and_prefixed(name: str, layout: int) -> None:
    scale = ZOO[name].architecture.shape.scale
    state = released_state(name, layout, scale)
    plain = load_network(name, state)
    assert plain.layout is ZOO[name].layouts[layout]
    assert plain.scale == scale
    assert not plain.network.training
    place = list(WRAPPED.values())[CASES.index((name, layout)) % len(WRAPPED)]
    prefix = PREFIXES[1:][CASES.index((name, layout)) % (len(PREFIXES) - 1)]
    again = load_network(name, nested({prefix + key: value for key, value in state.items()}, place))
    assert same(again.network, plain.network)
    assert f"taken from {'/'.join(place)}" in again.notes
    assert f"without {prefix!r} before the names" in again.notes


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("wrapper", sorted(WRAPPED))
def test_each_wrapper_with_each_prefix(wrapper: str, prefix: str) -> None:
    state = released_state("espcn", 0, 3)
    wrapped = nested({prefix + key: value for key, value in state.items()}, WRAPPED[wrapper])
    assert same(load_published("espcn", wrapped), load_published("espcn", state))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["s-lwsr16", "dncnn", "s-lwsr32c"])
def test_own_networks_are_read_with_prefixes_too(name: str, prefix: str) -> None:
    network = build(ZOO[name].architecture).eval()
    state = {prefix + key: value for key, value in network.state_dict().items()}
    loaded = load_network(name, {"model_state_dict": state})
    assert loaded.layout is None
    assert same(loaded.network, network)


def test_averaged_weights_are_preferred_and_the_choice_is_said() -> None:
    state = released_state("espcn", 0, 4)
    average = {key: value / 2 for key, value in state.items()}
    for words in (("params", "params_ema"), ("state_dict", "ema_state_dict"), ("model", "model_ema"), ("net", "ema")):
        loaded = load_network("espcn", dict(zip(words, (state, average), strict=True)))
        assert torch.equal(loaded.network.state_dict()["features.0.weight"], average["first_part.0.weight"])
        assert loaded.notes == (f"taken from {words[1]}, not from {words[0]}",)


def test_the_discriminator_and_other_parts_are_left_out() -> None:
    state = released_state("espcn", 0, 4)
    both = {"generator": state, "discriminator": {key: value + 1 for key, value in state.items()}}
    assert same(load_published("espcn", both), load_published("espcn", state))
    lightning = {"state_dict": {f"generator.{key}": value for key, value in state.items()}}
    lightning["state_dict"] |= {"discriminator.a.weight": torch.ones(4), "loss.scale": torch.ones(1)}
    loaded = load_network("espcn", lightning)
    assert same(loaded.network, load_published("espcn", state))
    assert "without 2 tensors of other parts" in loaded.notes


def test_counters_are_passed_over_with_a_line() -> None:
    state = released_state("espcn", 0, 4)
    counted = {
        **state,
        "total_ops": torch.zeros(1),
        "first_part.total_params": torch.zeros(1, dtype=torch.float64),
        "n_averaged": torch.tensor(7),
    }
    loaded = load_network("espcn", counted)
    assert same(loaded.network, load_published("espcn", state))
    assert loaded.notes == ("without 3 counters that a profiler or an average left",)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype) -> None:
    state = {key: value.to(dtype) for key, value in released_state("espcn", 0, 4).items()}
    loaded = load_network("espcn", state)
    assert {value.dtype for value in loaded.network.state_dict().values()} == {torch.float32}
    assert torch.equal(loaded.network.state_dict()["features.0.weight"], state["first_part.0.weight"].float())
    assert loaded.notes == (f"{str(dtype).removeprefix('torch.')} read as float32",)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["smfanet", "espcn", "imdn", "ecbsr-m4c8", "etds-l", "s-lwsr16"])
def test_the_scale_is_read_off_the_weights(name: str, scale: int) -> None:
    for layout in range(len(ZOO[name].layouts)):
        assert load_network(name, released_state(name, layout, scale)).scale == scale
    own = build(ZOO[name].at_scale(scale)).state_dict()
    assert load_network(name, own).scale == scale


def test_a_scale_that_the_weights_do_not_say_is_a_note() -> None:
    loaded = load_network("fsrcnn", released_state("fsrcnn", 0, 2))
    assert loaded.scale == 4
    assert loaded.notes == ("nothing in them says the scale: x4 taken; --scale says another",)
    assert load_network("fsrcnn", released_state("fsrcnn", 0, 2), 2).notes == ()


@pytest.mark.parametrize(
    ("asked", "given", "message"),
    [
        ("smfanet", "smfanet-plus", r"smfanet: key 'to_feat.weight' .*; these weights fit smfanet-plus at x4"),
        ("etds-l", "smfanet", "do not fit etds-l; these weights fit smfanet at x4"),
        ("dncnn-b", "dncnn-s", r"do not fit dncnn-b: .*these weights fit dncnn"),
    ],
)
def test_weights_of_another_network_say_which(asked: str, given: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_published(asked, released_state(given, 0, ZOO[given].architecture.shape.scale))


def test_weights_of_an_unknown_network_say_what_they_look_like() -> None:
    state = {f"stage.{index}.theta\x1b[31m": torch.ones(5, 7) for index in range(3)}
    with pytest.raises(UserError) as caught:
        load_published("smfanet", state)
    message = str(caught.value)
    assert "got 3 tensors with 105 numbers (stage.0.theta\\x1b[31m, " in message
    assert f"they match none of the {len(ZOO)} networks that are built here" in message
    near = {f"encoder.{key}" if "to_img" in key else key: v for key, v in released_state("smfanet", 0, 4).items()}
    with pytest.raises(UserError, match="nearest is smfanet with 178 of 180 tensors alike"):
        load_published("fsrcnn", near)


def test_not_a_number_is_refused_whatever_the_names() -> None:
    state = released_state("smfanet", 0, 4)
    state["feats.3.smfa.belt"][0, 5] = float("nan")
    with pytest.raises(UserError, match="must be finite, got NaN in "):
        load_published("smfanet", state)
