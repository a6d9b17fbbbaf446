"""One session at a run: what is checked and read before it, how long it lasts, and what a person sees of it."""
