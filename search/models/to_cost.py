"""Networks by name where only their costs are wanted: every name of a model, and ONNX files."""

from __future__ import annotations

from evaluators.onnx_files.network import SUFFIX, read_onnx
from search.models.costs import input_of
from search.models.named import OWN, kind_of, model_named
from space.errors import UserError
from space.named_network import NamedNetwork, named_network
from space.zoo import ZOO


def network_to_cost(spec: str, scale: int | None, channels: tuple[int, ...] = ()) -> NamedNetwork:
    """The network that ``spec`` names, with the input that its costs are stated for.

    ``channels`` are those of each input of a user's own network.

    Raises:
        UserError: as ``search.models.named.model_named`` and ``evaluators.onnx_files.network.read_onnx``.
    """
    if spec.endswith(SUFFIX):
        if scale is not None:
            raise UserError(f"--scale is for published networks, got it with {spec!r}; leave it out")
        return read_onnx(spec, channels)
    kind = kind_of(spec)
    if spec in ZOO or kind in OWN:
        return named_network(spec, scale, channels)
    if channels:
        raise UserError(f"--channels is for your own network, got it with {spec}; leave it out")
    model = model_named(spec, scale=scale)
    in_channels, size = input_of(model)
    only_this_size = bool((model.facts.get("input") or {}).get("only_this_size"))
    return NamedNetwork(model.name, model.network, in_channels, size, only_this_size)
