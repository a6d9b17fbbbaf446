"""What a person asks for: the one list of options, their values, budgets and latency tables."""
