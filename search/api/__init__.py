"""The door for programs: start a search, read a run back, and everything that a run leaves behind."""
