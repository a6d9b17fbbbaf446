"""Training: patches, the training loop, checkpoints, and weight files."""
