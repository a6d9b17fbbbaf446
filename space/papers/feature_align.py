"""The Feature-Align network (Young et al., WACV workshops 2022) as a stand-in of about the implied size."""

from __future__ import annotations

from space.architecture import IOShape
from space.build import architecture
from space.papers.paper import Paper

SOURCE = "Young et al., arXiv 2103.01524, abstract; block by yifanlu0227/HEAL"
KNOBS = {
    "width": 16,
    "levels": 4,
    "blocks_per_level": 2,
    "block": "ar",
    "ar_convolution": "grouped",
    "feature_align": "all",
    "resample": "pool+bilinear",
    "malle": "none",
    "attention": "none",
    "input_skip": "identity",
}

FEATURE_ALIGN: tuple[Paper, ...] = (
    Paper(
        "feature-align",
        "Feature-Align network",
        "raw-denoise",
        architecture(IOShape(4, 4, 1), "encoder_decoder", KNOBS),
        SOURCE,
        {"backbone": "encoder_decoder", **KNOBS},
        reproducible=False,
        runs_with_search=True,
        note="widths and depths are not published; a stand-in of about the 161K parameters that follow if the network "
        "compared with is CycleISP's, with more work per pixel; not the paper's network",
    ),
)
