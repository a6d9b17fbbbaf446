"""The layers that blocks, trunks and ends are made of."""
