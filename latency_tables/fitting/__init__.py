"""Latency tables of real phones, fitted to published whole-network measurements."""
