"""Weight files from any source: their kind, their content, and the network's state dict in them."""

from space.weights.reading import Stored, read_stored, stored_in_memory
from space.weights.state_dicts import StateDict

__all__ = ["StateDict", "Stored", "read_stored", "stored_in_memory"]
