"""The user's request: the list of options, their values, budgets and latency tables."""
