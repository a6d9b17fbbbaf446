"""Which networks to try next: budgets, proposals, the ladder of training, workers, and the run on disk."""
