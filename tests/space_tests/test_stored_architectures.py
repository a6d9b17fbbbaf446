"""Architectures as runs of record version 2 store them: they are read, and their keys stay."""

import json

import pytest

from space import ZOO, UserError, architecture_from_dict
from space.zoo import with_input_skip

# The published form, and the one with our bicubic skip.
KEYS = {
    "s-lwsr16": ("61316f2298e7", "a5ec0450775c"),
    "s-lwsr32": ("2fc7ac9d5756", "ac1fbe1cb3c9"),
    "s-lwsr64": ("db63e9ff63a0", "09dd6624f9a6"),
    "s-lwsr128": ("d52d79c5dbae", "f8611ce05c32"),
    "s-lwsr16-no-pool": ("e66110212bfc", "2e272a11022c"),
    "s-lwsr32-no-pool": ("a3815dc6339e", "a6a23a783fc1"),
    "s-lwsr64-no-pool": ("7f698b2b30b1", "7abc3d432ab5"),
    "s-lwsr16-pool-11": ("de906163d25e", "3bfb2fcdbb26"),
    "s-lwsr32-depth": ("b31df02b39f1", "0cecbfca99df"),
    "s-lwsr32c": ("c58cc219ae79", "1fbbed7155ef"),
}
STORED = """{"shape": {"in_channels": 3, "out_channels": 3, "scale": 4}, "backbone": "plain", "settings": {"width": 8,
"blocks": [{"kind": "inverted", "width": 8, "activated": true, "hidden": 16},
{"kind": "inverted", "width": 8, "activated": false, "hidden": 16},
{"kind": "gsat", "width": 8, "activated": true, "dilation": 2, "groups": 4},
{"kind": "inverted", "width": 8, "activated": true, "hidden": 16}], "recursion": 2, "residual_scale": 0.1},
"ends": {"upsampler": {"kind": "dense-one-step", "width": 8}, "input_skip": "bicubic", "malle": null,
"attention": "none", "mean_shift": false, "clipped": false}}"""


@pytest.mark.parametrize("name", sorted(KEYS))
def test_a_papers_key_stays(name: str) -> None:
    arch = ZOO[name].architecture
    assert (arch.key, with_input_skip(arch).key) == KEYS[name]


def test_a_stored_architecture_is_read_and_written_as_it_was() -> None:
    arch = architecture_from_dict(json.loads(STORED))
    assert arch.key == "d51b9ed989da"
    assert json.loads(json.dumps(arch.to_dict())) == json.loads(STORED)


def test_a_block_that_this_version_does_not_have_is_named() -> None:
    stored = json.loads(STORED.replace("gsat", "dense"))
    with pytest.raises(
        UserError, match="unknown kind 'dense' of blocks; known: residual, preactivated, inverted, gsat"
    ):
        architecture_from_dict(stored)


def test_an_architecture_of_record_version_1_is_refused_in_one_line() -> None:
    older = json.loads(STORED)
    older["settings"] |= older.pop("ends")
    with pytest.raises(UserError, match=r"^PlainSettings must have the fields .* unknown \['attention', 'clipped'"):
        architecture_from_dict(older)
