"""Latency tables, and how they price a network."""
