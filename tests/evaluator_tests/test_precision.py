"""Which arithmetic is chosen on which machine: every processor and device is driven by stubs, wherever tests run."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch

from evaluators.training.precision import Precision, choose_precision
from space import UserError

QUESTIONS = {"AMX": "_is_amx_tile_supported", "AVX512_BF16": "_is_avx512_bf16_supported"}


@pytest.fixture
def processor(monkeypatch) -> Callable[..., None]:
    """Makes this processor one with the features named, and no others."""

    def pretend(*features: str) -> None:
        for feature, question in QUESTIONS.items():
            monkeypatch.setattr(torch.cpu, question, lambda has=feature in features: has, raising=False)

    return pretend


@pytest.mark.parametrize("features", [(), ("AMX",), ("AVX512_BF16",), ("AMX", "AVX512_BF16")])
def test_auto_follows_the_processor(processor, features: tuple[str, ...]) -> None:
    processor(*features)
    chosen = choose_precision("cpu")
    assert chosen == choose_precision("cpu", "auto")
    assert (chosen.device, chosen.name, chosen.channels_last) == ("cpu", "bf16" if features else "fp32", True)
    assert chosen.reason == (
        f"CPU with {features[0]}" if features else "CPU without native bfloat16 (neither AMX nor AVX512_BF16)"
    )


def test_auto_is_float32_where_torch_lacks_the_questions(monkeypatch) -> None:
    for question in QUESTIONS.values():
        monkeypatch.delattr(torch.cpu, question, raising=False)
    assert choose_precision("cpu").name == "fp32"


@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError, AttributeError])
def test_auto_is_float32_where_the_questions_fail(monkeypatch, error: type[Exception]) -> None:
    def ask() -> bool:
        raise error("not on this processor")

    for question in QUESTIONS.values():
        monkeypatch.setattr(torch.cpu, question, ask, raising=False)
    assert choose_precision("cpu").name == "fp32"


@pytest.mark.parametrize("features", [(), ("AMX",)])
def test_what_is_asked_for_by_name_is_taken_and_said(processor, features: tuple[str, ...]) -> None:
    processor(*features)
    exact, rough = choose_precision("cpu", "fp32"), choose_precision("cpu", "bf16")
    assert (exact.name, exact.autocast, rough.name, rough.autocast) == ("fp32", None, "bf16", "bfloat16")
    assert exact.asked
    assert rough.asked
    assert exact.reason.startswith("asked for; CPU with")
    assert ("slower than float32" in rough.reason) == (not features)


@pytest.mark.parametrize("word", ["fp16", "", "BF16", "bfloat16"])
def test_an_unknown_precision_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="--precision must be one of auto, fp32, bf16"):
        choose_precision("cpu", word)


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:1", "cuda:999", "", "cuda:", "cuda:-1"])
def test_an_absent_device_is_refused(device: str) -> None:
    with pytest.raises(UserError, match="device"):
        choose_precision(device)


@pytest.fixture
def cuda(monkeypatch) -> Callable[..., list[str]]:
    """Makes this a machine with CUDA devices; gives the list of those that were asked about bfloat16."""

    def pretend(native: tuple[bool, ...]) -> list[str]:
        asked, current = [], [0]

        @contextlib.contextmanager
        def device(name: str) -> Iterator[None]:
            asked.append(name)
            current.append(int(name.partition(":")[2] or 0))
            yield
            current.pop()

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(native))
        monkeypatch.setattr(torch.cuda, "device", device)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native[current[-1]])
        return asked

    return pretend


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("device", [None, "cuda", "cuda:0"])
def test_a_gpu_is_taken_where_there_is_one(cuda, device: str | None, native: bool) -> None:
    cuda((native,))
    chosen = choose_precision(device)
    assert (chosen.device, chosen.name, chosen.channels_last) == (device or "cuda", "bf16" if native else "fp32", True)
    assert chosen.reason == f"CUDA device {'with' if native else 'without'} native bfloat16"
    assert choose_precision("cuda", "fp32").autocast is None
    assert choose_precision("cuda", "bf16").autocast == "bfloat16"


def test_each_gpu_is_asked_itself(cuda) -> None:
    asked = cuda((True, False))
    assert (choose_precision("cuda:0").name, choose_precision("cuda:1").name) == ("bf16", "fp32")
    assert asked == ["cuda:0", "cuda:1"]
    with pytest.raises(UserError, match=r"'cuda:2' must be present, got 2 of them"):
        choose_precision("cuda:2")


def test_a_cpu_can_be_asked_for_beside_a_gpu(cuda, processor) -> None:
    asked = cuda((True,))
    processor()
    assert (choose_precision("cpu").device, choose_precision("cpu").name) == ("cpu", "fp32")
    assert asked == []


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize(("device", "kind"), [("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda")])
def test_the_forward_pass_runs_in_autocast_of_the_devices_kind(device: str, kind: str) -> None:
    context = Precision(device, "bfloat16", True, "test").arithmetic()
    assert (context.device, context.fast_dtype) == (kind, torch.bfloat16)
    with Precision(device, None, True, "test").arithmetic():
        assert not torch.is_autocast_enabled(kind)


def test_training_goes_on_in_the_arithmetic_in_which_it_was_begun(processor) -> None:
    processor("AMX")
    native, plain = choose_precision("cpu"), choose_precision("cpu", "fp32")
    assert native.continuing(None) is native
    assert native.continuing("bf16") is native
    assert (native.continuing("fp32").name, plain.continuing("bf16").name) == ("fp32", "bf16")
    assert native.continuing("fp32").reason == "begun in fp32; CPU with AMX"
    assert Precision.from_dict(plain.to_dict()) == plain
    older = {"device": "cpu", "autocast": "bfloat16", "channels_last": True, "reason": "CPU with AMX"}
    assert Precision.from_dict(older) == native
