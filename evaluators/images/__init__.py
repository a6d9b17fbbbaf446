"""Reading and writing images, the resize that makes the data, and the metrics of the published tables."""
