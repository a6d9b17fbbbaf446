"""Structured pruning: whole channels are removed, and what is left is an ordinary, smaller architecture."""

from evaluators.compression.pruning.importance import IMPORTANCES
from evaluators.compression.pruning.prune import SCOPES, Pruned, Step, prune

__all__ = ["IMPORTANCES", "SCOPES", "Pruned", "Step", "prune"]
