"""One set of weights for all networks of a search space: each network runs on slices of the same tensors."""

from space.weight_bank.bank import WeightBank
from space.weight_bank.layout import Slot, slots

__all__ = ["Slot", "WeightBank", "slots"]
