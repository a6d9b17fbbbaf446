"""Trainings to the end: one configuration, one protocol, many steps; alone, side by side, or from a queue."""
