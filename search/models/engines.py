"""How to run an exported file in its engine, in five lines of Python each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# By the end of a file's name. ``image`` is float32 `(1, C, H, W)` in [0, 1], as ``IMAGE`` makes it.
ENGINES: dict[str, tuple[str, str]] = {
    ".safetensors": (
        "torch, in litefront",
        """\
import search, torch

network = search.load_model(".")
output = network(torch.from_numpy(image)).detach().numpy()""",
    ),
    ".onnx": (
        "ONNX Runtime",
        """\
import onnxruntime

session = onnxruntime.InferenceSession("{name}")
output = session.run(None, {{session.get_inputs()[0].name: image}})[0]""",
    ),
    ".tflite": (
        "LiteRT",
        """\
from ai_edge_litert.interpreter import Interpreter  # channels last; on a phone, LiteRT's own API

net = Interpreter("{name}"); net.allocate_tensors()
net.set_tensor(net.get_input_details()[0]["index"], image.transpose(0, 2, 3, 1)); net.invoke()
output = net.get_tensor(net.get_output_details()[0]["index"]).transpose(0, 3, 1, 2)""",
    ),
    ".ncnn.param": (
        "ncnn",
        """\
import ncnn

net = ncnn.Net(); net.load_param("{name}"); net.load_model("{stem}.ncnn.bin")
extractor = net.create_extractor(); extractor.input("in0", ncnn.Mat(image[0]).clone())
output = extractor.extract("out0")[1].numpy()""",
    ),
    ".mnn": (
        "MNN",
        """\
import MNN.nn, MNN.numpy

module = MNN.nn.load_module_from_file("{name}", [], [])
tensor = MNN.expr.convert(MNN.numpy.array(image), MNN.expr.NC4HW4)
output = MNN.expr.convert(module.forward(tensor), MNN.expr.NCHW).read()""",
    ),
    ".pt2": (
        "torch",
        """\
import torch

network = torch.export.load("{name}").module()
output = network(torch.from_numpy(image)).detach().numpy()""",
    ),
    ".pte": (
        "ExecuTorch",
        """\
import torch
from executorch.runtime import Runtime

method = Runtime.get().load_program("{name}").load_method("forward")
output = method.execute([torch.from_numpy(image)])[0].numpy()""",
    ),
}
IMAGE = "image = numpy.zeros((1, {channels}, {height}, {width}), numpy.float32)  # yours, in [0, 1]"


def how_to_run(exported: Sequence[str], channels: int, size: tuple[int, int]) -> Iterator[str]:
    """Markdown: torch first, then each engine that ``exported`` has a file for."""
    width, height = size
    yield f"With `{IMAGE.format(channels=channels, width=width, height=height)}`, or another size that the file takes:"
    for suffix, (engine, text) in ENGINES.items():
        names = [each for each in ("model.safetensors", *exported) if each.endswith(suffix)]
        name = min(names, key=lambda each: "int8" in each, default=None)  # int8 files take and give integers
        if name is not None:
            code = text.format(name=name, stem=name.removesuffix(suffix))
            yield from ("", f"{engine}, `{name}`:", "", "```python", code, "```")
