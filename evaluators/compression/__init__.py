"""How a design is made smaller or faster beside its architecture: pruning, int8, distillation."""
