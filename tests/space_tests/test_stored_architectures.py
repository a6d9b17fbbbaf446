"""Architectures that earlier versions stored: they are read, and their keys stay."""

import json

import pytest

from space import ZOO, UserError, architecture_from_dict
from space.architecture import BlockSpec
from space.blocks.residual import block
from space.zoo import with_input_skip

# As written by version 0.1.0: the published form, and the one with our bicubic skip.
KEYS = {
    "s-lwsr16": ("f8e425e8df8f", "2bfca3497fb1"),
    "s-lwsr32": ("ab3f21d5ce18", "4caac589170b"),
    "s-lwsr64": ("ab546b4e167b", "f60512021804"),
    "s-lwsr128": ("5d28320a9924", "7f1f182b43d4"),
    "s-lwsr16-no-pool": ("8e8dcfc7d0c1", "1f7b1272cd43"),
    "s-lwsr32-no-pool": ("cea7fa70a23b", "5eedcdbe46d3"),
    "s-lwsr64-no-pool": ("4e7f6c4a5f62", "c1395e07142b"),
    "s-lwsr16-pool-11": ("5bb3b095a5d1", "50c0a46bf9d5"),
    "s-lwsr32-depth": ("61483a818a96", "3cfcc4351c09"),
    "s-lwsr32c": ("17c00774f051", "c18376b6e48c"),
}
STORED = """{"shape": {"in_channels": 3, "out_channels": 3, "scale": 4}, "backbone": "plain", "settings": {"width": 8,
"blocks": [{"kind": "inverted", "width": 8, "hidden": 16, "activated": true},
{"kind": "inverted", "width": 8, "hidden": 16, "activated": false},
{"kind": "inverted", "width": 8, "hidden": 16, "activated": true},
{"kind": "inverted", "width": 8, "hidden": 16, "activated": true}], "recursion": 2, "residual_scale": 0.1,
"upsampler": {"kind": "dense-one-step", "width": 8}, "input_skip": "bicubic", "mean_shift": false}}"""


@pytest.mark.parametrize("name", sorted(KEYS))
def test_a_papers_key_stays(name: str) -> None:
    arch = ZOO[name].architecture
    assert (arch.key, with_input_skip(arch).key) == KEYS[name]


def test_a_stored_architecture_is_read_and_written_as_it_was() -> None:
    arch = architecture_from_dict(json.loads(STORED))
    assert arch.key == "3dd103e2612f"
    assert json.loads(json.dumps(arch.to_dict())) == json.loads(STORED)


def test_a_block_that_this_version_does_not_have_is_named() -> None:
    with pytest.raises(UserError, match="unknown block kind 'dense'; known: residual, preactivated, inverted, gsat"):
        block(BlockSpec("dense", 8, 8))
