"""The options of every command, apart from what the command does: ``--help`` must not wait for torch.

``NAME.py`` holds the options of ``python -m search NAME``; nothing in this folder imports torch, Optuna or a plotting
library. A test compares the values that it lists (samplers, protocols, ablations) with the program's own.
"""
