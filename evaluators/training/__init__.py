"""Training a candidate for some steps, keeping where it stands, and its weights as files."""
