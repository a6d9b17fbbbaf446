"""Export: a network as a file for an inference engine, checked in that engine against torch."""
