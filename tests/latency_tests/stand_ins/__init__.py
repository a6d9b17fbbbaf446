"""Programs and an engine that stand in for what a test machine may not have; each checks how it is called."""
