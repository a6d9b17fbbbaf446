"""The page of one training: its curve, its pictures, its figures."""
