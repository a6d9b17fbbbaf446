"""Checkpoints: whole or refused, and an old one still opens."""

import base64
import json
import os
import zlib

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from evaluators.training.checkpoint import FORMAT, Checkpoint, read_checkpoint, write_checkpoint
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from space import files
from space.errors import UserError

PRECISION = Precision("cpu", None, False, "test")

# A one-parameter network after one step, written when the format was made: files of version 1 must stay readable.
VERSION_1 = (
    "c-ozk&ui2`6vulgDBir6vdlTQ^E=5NQmfG3#DyYAcL~#Ub~m(}#ANz&T@b_{U{89`Q&Eq4^q|mgE(I?lUcB@_sCp9r0cWyxt=etf1|H<S_sw"
    "U%^Io2hjucND_<l<&u_%=AeNb+L<xt6b8b|6<(3HVa5{HojWzepIRhedC992QNgsf5(WJ)IeBv}?kN9z`Z3YtZO7af!O$-1dfQ&^TFjl!tmr"
    "$R|ng%c2B(^(T~YbEgwI5Q0fO;xspzbFH-(bKxF+cD*ajHD*Ssn#EY%;BN(`yErOg6mgjIjw@8<=@KwJ0h;b9D-erFyRhoE{6nR8)C>A!#aV"
    "Kk>ZwN6qqj@8xc-y%#h6->^d%EjM@%jE``K)h(oDu+l9-f$ov&OLV^qTresptkcB&&QA!x1tPlrj(9>a?=|dsntOGh05PI~YAtx6?k(nJWs*"
    "ObIrOXfvERZ#Y$>vGT0>vKVdOed$E9aqwaP0_SO@@u8Issu33t8x25W*I93@MUoEl!t)w?Z9@!=r>Vd*RS>xgo`g3R~f(Oba)Yay{|IYGWu@"
    "F1HYL2E+X9)=)eR(<6t+0L@Q57<Jsl&GP7<q~6T_<EDf6NG-(SNz{|CJP@q6g8p91A$aJk>#bm@O?FCGHpje)mpH$0^Pu}}Wozfd({1nl%#Z"
    "xygZ+H^b&&5p9`~j{mv?dft9SQprF*SC=7ASD|9<13TbtY3sXW{EE^Gax`};Y27380ujC-4V<=uB$UwKpM-g|hyAG4!hoL@0Aa%XDl+}!SI@"
    "$vSSeOegSPm2A?*#"
)


def _checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 3, 3)
    return Checkpoint(
        step=17,
        plan=TrainingPlan(batch=3),
        generator_state=np.random.default_rng(5).bit_generator.state,
        network={"head.weight": weight, "norm.count": torch.tensor(9)},
        optimizer={"head.weight/step": torch.tensor(17.0), "head.weight/exp_avg": weight / 2},
        average={"head.weight": weight.to(memory_format=torch.channels_last) * 3},
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path) -> None:
    written = _checkpoint()
    write_checkpoint(tmp_path / "c", written)
    read = read_checkpoint(tmp_path / "c")
    assert (read.step, read.plan, read.generator_state) == (written.step, written.plan, written.generator_state)
    for part in ("network", "optimizer", "average"):
        ours, theirs = getattr(read, part), getattr(written, part)
        assert list(ours) == sorted(theirs)
        for name in theirs:
            assert torch.equal(ours[name], theirs[name])
            assert ours[name].dtype == theirs[name].dtype


def test_version_1_still_opens(tmp_path) -> None:
    (tmp_path / "old").write_bytes(zlib.decompress(base64.b85decode(VERSION_1)))
    pool = PatchPool.from_pairs([(np.full((8, 8, 3), 99, np.uint8),) * 2], scale=1)
    trainer = Trainer.load(tmp_path / "old", nn.Conv2d(3, 3, 1), pool, PRECISION)
    assert trainer.step == 1
    assert trainer.network.bias[0].item() == pytest.approx(0.1528141, abs=1e-6)
    trainer.train_to(2)


def test_equal_checkpoints_are_equal_files_without_pickle(tmp_path) -> None:
    for name in "ab":
        write_checkpoint(tmp_path / name, _checkpoint())
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    assert set(safetensors.torch.load(content)) == {
        "network/head.weight",
        "network/norm.count",
        "optimizer/head.weight/step",
        "optimizer/head.weight/exp_avg",
        "average/head.weight",
    }


def _flip_last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGES = {
    "empty": lambda content: b"",
    "cut in the header": lambda content: content[:40],
    "cut in the tensors": lambda content: content[:-5],
    "one bit": _flip_last_byte,
    "pickle": lambda content: b"\x80\x04\x95\x00.",
    "text": lambda content: b"hello, this is no checkpoint at all",
    "other safetensors": lambda content: safetensors.torch.save({"a": torch.ones(2)}, {"by": "someone"}),
    "later version": lambda content: safetensors.torch.save(
        {"network/a": torch.ones(2)}, {FORMAT: json.dumps({"version": 99})}
    ),
    "unknown part": lambda content: safetensors.torch.save(
        {"a": torch.ones(2)}, {FORMAT: json.dumps({"version": 1, "crc32": 0})}
    ),
    "no state": lambda content: safetensors.torch.save({"network/a": torch.ones(2)}, {FORMAT: "[]"}),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_damaged_or_foreign_file_is_refused_in_one_line_with_its_name(tmp_path, damage: str) -> None:
    path = tmp_path / "trial-7.safetensors"
    write_checkpoint(path, _checkpoint())
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UserError, match=r"trial-7\.safetensors") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_missing_file_is_refused_with_its_name(tmp_path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        read_checkpoint(tmp_path / "nowhere")


def test_checkpoint_of_another_network_is_refused_and_the_network_untouched(tmp_path) -> None:
    pool = PatchPool.from_pairs([(np.full((8, 8, 3), 99, np.uint8),) * 2], scale=1)
    Trainer(nn.Conv2d(3, 3, 1), pool, TrainingPlan(patch_px=4), PRECISION, seed=0).save(tmp_path / "c")
    wider = nn.Conv2d(3, 3, 3, padding=1)
    before = wider.weight.detach().clone()
    with pytest.raises(UserError, match=r"'weight' with \(3, 3, 1, 1\) in the file and \(3, 3, 3, 3\)"):
        Trainer.load(tmp_path / "c", wider, pool, PRECISION)
    assert torch.equal(wider.weight, before)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, _checkpoint())
    before = path.read_bytes()

    def refuse(source: str, target: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint(path, _checkpoint())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c"]
