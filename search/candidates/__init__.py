"""Candidates: the published networks, the points a search starts from, and the next proposal, screened and repaired."""
