"""Networks that share their weights: one training for all of them, and what each inherits from it."""

from evaluators.sharing.trainer import BankTrainer

__all__ = ["BankTrainer"]
