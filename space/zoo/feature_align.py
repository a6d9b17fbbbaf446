"""The Feature-Align network (Young et al., WACV workshops 2022) as a stand-in of about the implied size."""

from __future__ import annotations

from space.architecture import IOShape
from space.backbones import BACKBONES
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import NOT_SAID, reported

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

RESULTS = reported(
    "Feature-Align network",
    "raw-denoise",
    "Young et al., arXiv 2103.01524, abstract",
    {"DND": 48.28},
    metric=NOT_SAID,
    note="263 times fewer MACs and 17.6 times fewer parameters than the state of the art it names",
)
NETWORKS = (
    PublishedNetwork(
        "feature-align",
        "Feature-Align network",
        "raw-denoise",
        BACKBONES["encoder_decoder"].architecture(IOShape(4, 4, 1), KNOBS),
        SOURCE,
        knobs={"backbone": "encoder_decoder", **KNOBS},
        approximation=True,
        runs_with_search=True,
        results=RESULTS,
        note="widths and depths are not published; a stand-in of about the 161K parameters that follow if the network "
        "compared with is CycleISP's, with more work per pixel; not the paper's network",
    ),
)
