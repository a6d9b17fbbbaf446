"""The options of ``compress``: one list, for the command line and for Python. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping

from search.request.options import PRECISION_HELP, Option, task_options
from search.request.train_options import NETWORK, patch_options, teacher_options, texts_of

PRUNING, QUANTIZING = "pruning", "int8"
LIMIT, HOW, DATA, FILES = "limits", "fine-tuning", "data", "results"

COMPRESS_OPTIONS: tuple[Option, ...] = (
    Option("weights", NETWORK, "of a published network", "FILE"),
    *task_options("upscaling factor (default: the network's)"),
    Option("prune", PRUNING, "share of its channels to remove, above 0 and at most 0.95, such as 0.5", "RATIO"),
    Option("importance", PRUNING, "what says which: magnitude (default), taylor or fpgm", "NAME"),
    Option("scope", PRUNING, "of each group of channels: uniform (default), or of all together: global", "NAME"),
    Option("prune-steps", PRUNING, "in which they go, each of which has to pay (default: 1)", "N"),
    Option("mixed", QUANTIZING, "layers to keep in float, those whose int8 costs the most (default: 0)", "N"),
    Option(
        "calibration",
        QUANTIZING,
        "pictures from which int8 takes its ranges (default: those of --data)",
        "FOLDER[@LIST]",
    ),
    Option(
        "device",
        LIMIT,
        "latency table whose milliseconds pruning has to lower, with --int8 those of its int8 table (default: "
        "multiply-accumulates)",
        "TABLE",
    ),
    Option("budget", LIMIT, "what the result has to be within, such as 100k-params,800ms@pixel4-a76", "LIMIT[,LIMIT]"),
    Option("steps", HOW, "training steps, such as 2000, 50k or 1M (default: 0, nothing is trained)", "N"),
    Option("time", HOW, "such as 30m: as many steps as fit, by the time of a step that is measured first"),
    *patch_options(HOW),
    *teacher_options("distil", HOW),
    Option("seed", HOW, "of patches (default: 0)", "N", default="0"),
    Option("processor", HOW, "to train on: cpu, cuda or cuda:N (default: cuda where present)"),
    Option("precision", HOW, PRECISION_HELP, "FORMAT", default="auto"),
    Option("data", DATA, "images, or pairs of images, to train on (default: embedded photographs)", "FOLDER[@LIST]"),
    Option("val-data", DATA, "held-out images to measure on (default: embedded photographs)", "FOLDER[@LIST]"),
    Option("validate-every", DATA, "steps between two looks at them (default: a twentieth of all)", "N"),
    Option("out", FILES, "the model folder (default: runs/compress-NETWORK)", "FOLDER"),
)
FLAGS: dict[str, tuple[str, str]] = {
    "int8": (QUANTIZING, "weights and values in int8: trained for it in the last steps, measured as LiteRT rounds"),
    "overwrite": (FILES, "begin again where the folder holds another compression, or one that is finished"),
}
"""Options without a value: their group and help."""


def compress_texts(options: Mapping[str, object]) -> dict[str, str]:
    """The text of every option that is given or has a default, by its Python name; flags are left out.

    Raises:
        UserError: an option is unknown.
    """
    return texts_of("compress", COMPRESS_OPTIONS, FLAGS, options)
