"""Published networks for denoising, RAW denoising, deblurring and inpainting, beside the five papers.

Counts that a source states are true here to the digit, under its own rule where it has one. Networks that the
lightweight-modules paper does not name are identified by their counts, and their notes say so.
"""

from __future__ import annotations

from typing import Any

from space.architecture import Architecture, IOShape
from space.papers.paper import CONVOLUTION_WEIGHTS, TRAINING_FORM, CountingRule, Paper
from space.references.cbdnet import CbdNetSettings
from space.references.dncnn import DnCnnSettings
from space.references.ffdnet import FfdNetSettings
from space.references.glcic import GlcicSettings
from space.references.ircnn import IrCnnSettings
from space.references.pmrid import PmridSettings
from space.references.prenet import PReNetSettings

GREY, COLOUR, PACKED = IOShape(1, 1), IOShape(3, 3), IOShape(4, 4)
LAHIRI = "Lahiri et al., arXiv 2007.05835"
LAHIRI_CODE = f"{LAHIRI}; avisekiit/TCSVT-LightWeight-CNNs, PytorchExamples/network.py"
DNCNN = "Zhang et al., arXiv 1608.03981; cszn/KAIR, models/network_dncnn.py"
IRCNN = "Zhang et al., arXiv 1704.03264; cszn/KAIR, models/network_dncnn.py"
FFDNET = "Zhang et al., arXiv 1710.04026; cszn/KAIR, models/network_ffdnet.py"
CBDNET = "Guo et al., arXiv 1807.04686; IDKiro/CBDNet-pytorch, model/cbdnet.py"
GLCIC = "Iizuka et al., SIGGRAPH 2017; otenim/GLCIC-PyTorch, models.py"
PMRID = "Wang et al., arXiv 2010.06935; MegEngine/PMRID, models/net_torch.py"
PRENET = "Ren et al., arXiv 1901.09221; csdwren/PReNet, networks.py"

IDENTIFIED = "the paper prints one digit of the size and does not name the network; this one is identified by its count"
LEVEL_MAP = "the last input channel is the noise level map"
DERAIN = "published for removing rain; here the countable relative of the progressive deblurring network"


def _entry(
    name: str,
    title: str,
    task: str,
    shape: IOShape,
    settings: tuple[str, Any],
    source: str,
    note: str = "",
    rule: CountingRule | None = None,
    reproducible: bool = True,
    runs: bool = False,
) -> Paper:
    """``settings`` are the reference's name and its settings; ``runs`` whether it runs with every search."""
    return Paper(
        name,
        title,
        task,
        Architecture(shape, *settings),
        source,
        counting_rule=rule,
        reproducible=reproducible,
        runs_with_search=runs,
        note=note,
    )


def _dncnn(layers: int, middle: str = "dense", bias: bool = True) -> tuple[str, DnCnnSettings]:
    return "dncnn", DnCnnSettings(64, layers, middle, bias)


def _lahiri_dncnn(name: str, title: str, shape: IOShape, middle: str) -> Paper:
    note = "no biases but LIST's own; the paper's counts include batch norm"
    settings = _dncnn(17, middle, bias=False)
    runs = middle == "list"
    return _entry(name, title, "denoise", shape, settings, LAHIRI_CODE, note, TRAINING_FORM, runs=runs)


def _cbdnet(name: str, title: str, *choices: Any, note: str = "", channels: int = 3, rebuilt: bool = False) -> Paper:
    return _entry(
        name,
        title,
        "denoise",
        IOShape(channels, 3),
        ("cbdnet", CbdNetSettings(*choices)),
        f"{LAHIRI}, figure in the authors' repository" if rebuilt else CBDNET,
        note,
        CONVOLUTION_WEIGHTS,
        not rebuilt,
        runs=name == "cbdnet-lite",
    )


def _glcic(name: str, title: str, *choices: str, note: str = "", rebuilt: bool = True) -> Paper:
    return _entry(
        name,
        title,
        "inpaint",
        IOShape(4, 3),
        ("glcic", GlcicSettings(*choices)),
        f"{LAHIRI}, figure in the authors' repository" if rebuilt else GLCIC,
        note,
        CONVOLUTION_WEIGHTS,
        not rebuilt,
        runs=name == "glcic-lite",
    )


def _prenet(name: str, title: str, shared_block: bool, lstm: bool) -> Paper:
    settings = PReNetSettings(6, shared_block, lstm)
    return _entry(name, title, "deblur", COLOUR, ("prenet", settings), PRENET, DERAIN)


REFERENCES_RESTORE: tuple[Paper, ...] = (
    _lahiri_dncnn("dncnn", "DnCNN, 17 layers without biases", GREY, "dense"),
    _lahiri_dncnn("dncnn-list", "DnCNN-LIST", GREY, "list"),
    _lahiri_dncnn("dncnn-color", "DnCNN, 17 layers without biases (color)", COLOUR, "dense"),
    _lahiri_dncnn("dncnn-list-color", "DnCNN-LIST (color)", COLOUR, "list"),
    _entry("dncnn-s", "DnCNN-S", "denoise", GREY, _dncnn(17), DNCNN, "one network for each noise level"),
    _entry("dncnn-b", "DnCNN-B", "denoise", GREY, _dncnn(20), DNCNN, "one network for all noise levels"),
    _entry("dncnn-b-color", "DnCNN (color)", "denoise", COLOUR, _dncnn(20), DNCNN, "one network for all noise levels"),
    _entry("ffdnet", "FFDNet", "denoise", IOShape(2, 1), ("ffdnet", FfdNetSettings(64, 15)), FFDNET, LEVEL_MAP),
    _entry(
        "ffdnet-color",
        "FFDNet (color)",
        "denoise",
        IOShape(4, 3),
        ("ffdnet", FfdNetSettings(96, 12)),
        FFDNET,
        LEVEL_MAP,
    ),
    _entry(
        "ircnn",
        "IRCNN",
        "denoise",
        GREY,
        ("ircnn", IrCnnSettings()),
        IRCNN,
        "as released, with batch norm folded; one network for each noise level",
    ),
    _entry(
        "ircnn-color",
        "IRCNN (color)",
        "denoise",
        COLOUR,
        ("ircnn", IrCnnSettings()),
        IRCNN,
        "as released, with batch norm folded; one network for each noise level",
    ),
    _cbdnet("cbdnet", "CBDNet", "dense", "transposed", True),
    _cbdnet(
        "cbdnet-non-blind", "CBDNet without its estimator", "dense", "transposed", False, channels=4, note=LEVEL_MAP
    ),
    _cbdnet("cbdnet-lite", "CBDNet with LIST", "list", "transposed", True, note=IDENTIFIED, rebuilt=True),
    _cbdnet(
        "cbdnet-lite-non-blind",
        "CBDNet with LIST, without its estimator",
        "list",
        "transposed",
        False,
        channels=4,
        note=f"{IDENTIFIED}; {LEVEL_MAP}",
        rebuilt=True,
    ),
    _cbdnet(
        "cbdnet-lite-bilinear",
        "CBDNet with LIST and bilinear enlargement",
        "list",
        "bilinear-list",
        True,
        note=f"{IDENTIFIED}, and fits the printed 0.4M less well than cbdnet-lite",
        rebuilt=True,
    ),
    _glcic(
        "glcic",
        "GLCIC completion network",
        "dense",
        "dense",
        "dense",
        rebuilt=False,
        note="batch norm before ReLU; the port has it behind",
    ),
    _glcic("glcic-lite", "GLCIC with LIST and GSAT", "list", "gsat", "bilinear-list", note=IDENTIFIED),
    _glcic(
        "glcic-lite-strided",
        "GLCIC with LIST and GSAT, strided and transposed convolutions dense",
        "list",
        "gsat",
        "dense",
        note=f"{IDENTIFIED}, and its 1.5M do not fit the printed 0.5M",
    ),
    _glcic(
        "glcic-lite-list",
        "GLCIC with LIST, also for the dilated layers",
        "list",
        "list",
        "bilinear-list",
        note=f"{IDENTIFIED}, and its 0.34M do not fit the printed 0.5M",
    ),
    _entry(
        "pmrid",
        "PMRID",
        "raw-denoise",
        PACKED,
        ("pmrid", PmridSettings()),
        PMRID,
        "the paper's k-sigma transform is done before the network",
    ),
    _prenet("prn-r", "PRN_r (6 stages)", True, False),
    _prenet("prn", "PRN (6 stages)", False, False),
    _prenet("prenet-r", "PReNet_r (6 stages)", True, True),
    _prenet("prenet", "PReNet (6 stages)", False, True),
)
