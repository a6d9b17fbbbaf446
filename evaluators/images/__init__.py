"""Images in and out, the resize that makes the data, and the metrics of the published tables."""
