"""The measuring harness: which operators to time, in interleaved rounds, into a table, and how well it predicts."""
