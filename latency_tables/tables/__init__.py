"""What a latency table holds, and how it prices a network."""
