"""A search whose networks share their weights: which do, how they are trained, and what is measured of them."""
