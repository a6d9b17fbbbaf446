"""How a network is made smaller or faster after its design."""
