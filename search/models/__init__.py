"""Models: networks with their weights and what is known of them, by name, and as folders on disk."""
