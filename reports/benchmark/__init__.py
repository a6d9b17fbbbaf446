"""What a benchmark's table says of the signals that rank architectures before they are trained."""
