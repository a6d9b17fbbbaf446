"""Whoever trains: worker processes that do jobs, what is said between them and the search, and whose a failure is."""
