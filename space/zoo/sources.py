"""Papers, repositories and remarks that several networks of the zoo cite."""

from space.zoo.published_result import COUNTED

LAHIRI = "Lahiri et al., arXiv 2007.05835"
LAHIRI_CODE = f"{LAHIRI}; avisekiit/TCSVT-LightWeight-CNNs, PytorchExamples/network.py"
LAHIRI_FIGURE = f"{LAHIRI}, figure in the authors' repository"
KAIR_DNCNN = "cszn/KAIR, models/network_dncnn.py"

# Repositories of released weights, at the commit whose files were measured.
NTIRE_2026 = "Amazingren/NTIRE2026_ESR 4592ce6"
PLAINUSR = "icandle/PlainUSR d7ff11a"

# Tables of results that quote the networks of others.
CARN_TABLE = "nmhkahn/CARN-pytorch, assets/table.png"
IMDN_TABLE = "Zheng222/IMDN, images/psnr_ssim.png"
SLWSR_TABLE = "Li et al., arXiv 1909.10774, Table II"
DPIR_GREY = "cszn/DPIR, figs/grayscale_psnr.png"
DPIR_COLOUR = "cszn/DPIR, figs/color_psnr.png"

IDENTIFIED = "the paper prints one digit of the size and does not name the network; this one is identified by its count"
LEVEL_MAP = "the last input channel is the noise level map"
PARAMS_COUNTED = f"params {COUNTED}"
# Of the PyTorch forms of FSRCNN and ESPCN.
YJN_NOTE = f"trained on the 91 images; paper value as quoted by the repository; {PARAMS_COUNTED}"
