"""The parts that blocks and trunks are made of."""
