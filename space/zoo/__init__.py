"""Published networks, one file each: what each file holds, and how to add one, stands in ``README.md`` beside them."""

from __future__ import annotations

import difflib
from importlib import import_module

from space.errors import UserError
from space.zoo.published_network import OwnNetwork, PublishedNetwork, with_input_skip

# One line a file, in the order in which networks are listed: the five papers' first.
FILES = (
    "slwsr",
    "mallenet",
    "progressive",
    "feature_align",
    "fsrcnn",
    "espcn",
    "carn",
    "imdn",
    "ecbsr",
    "smfanet",
    "etds",
    "span",
    "spanv2",
    "pds",
    "disp",
    "dscf",
    "zenosr",
    "vscinet",
    "plainusr",
    "safmn",
    "rlfn",
    "bsrn",
    "srresnet",
    "dncnn",
    "ffdnet",
    "ircnn",
    "cbdnet",
    "glcic",
    "pmrid",
    "prenet",
)

ZOO: dict[str, PublishedNetwork] = {
    network.name: network for file in FILES for network in import_module(f"space.zoo.{file}").NETWORKS
}
# The five papers' configurations, which run as fixed trials of every search that they fit.
PAPERS: dict[str, PublishedNetwork] = {name: network for name, network in ZOO.items() if network.runs_with_search}
# By the name in ``Architecture.backbone``: the networks that are not points of a searched backbone.
OWN_NETWORKS: dict[str, OwnNetwork] = {
    network.architecture.backbone: OwnNetwork(network.module, type(network.architecture.settings))
    for network in ZOO.values()
    if network.module is not None
}


def published_network(name: str) -> PublishedNetwork:
    """The published network called ``name``.

    Raises:
        UserError: ``name`` is unknown; the message suggests similar names.
    """
    if name not in ZOO:
        raise UserError(f"unknown network {name!r}; {known_names(name)}")
    return ZOO[name]


def known_names(like: str) -> str:
    """For a message: the names similar to ``like``, and where to find all names."""
    near = difflib.get_close_matches(like, ZOO, n=3)
    return (f"did you mean {' or '.join(near)}? " if near else "") + "python -m search list has all"


__all__ = [
    "OWN_NETWORKS",
    "PAPERS",
    "ZOO",
    "OwnNetwork",
    "PublishedNetwork",
    "known_names",
    "published_network",
    "with_input_skip",
]
