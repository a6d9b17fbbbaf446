"""Files of weights as people have them: what a file is, what it holds, and which of it is a network's state dict."""

from space.weights.reading import Stored, read_stored, stored_in_memory
from space.weights.state_dicts import StateDict

__all__ = ["StateDict", "Stored", "read_stored", "stored_in_memory"]
