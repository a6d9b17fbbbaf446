"""How plots look and are written, and where their labels go."""
