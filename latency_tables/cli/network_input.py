"""The inputs of a user's own network, from its options."""

from __future__ import annotations

import re

from space.command_line import parse_size
from space.errors import UserError
from space.named_network import NamedNetwork
from space.operators.operator import Shape

MOST_CHANNELS, MOST_INPUTS = 4096, 16


def parse_channels(text: str | None) -> tuple[int, ...]:
    """Whole numbers joined by commas; none if None."""
    if text is None:
        return ()
    counts = [cell.strip() for cell in text.split(",")]
    are_counts = all(re.fullmatch("[0-9]{1,5}", cell) and 0 < int(cell) <= MOST_CHANNELS for cell in counts)
    if not are_counts or len(counts) > MOST_INPUTS:
        raise UserError(
            f"--channels must be whole numbers from 1 to {MOST_CHANNELS} joined by commas, for each of at most "
            f"{MOST_INPUTS} inputs one, got {text!r}; for example 3,1"
        )
    return tuple(map(int, counts))


def input_sizes(text: str | None, own: NamedNetwork) -> tuple[tuple[int, int], tuple[Shape, ...]]:
    """The (width, height) of the first input, and the shapes of the others.

    Raises:
        UserError: a size cannot be read or differs from that of the export, or their number is neither one nor one per
            input.
    """
    sizes = [parse_size("--input", cell) for cell in text.split(",")] if text is not None else [own.input_size]
    own.check_size(sizes[0])
    return sizes[0], own.more_inputs(sizes)
