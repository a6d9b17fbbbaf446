"""The options of every command, apart from what the command does: ``--help`` must not wait for torch.

``NAME.py`` holds the options of ``python -m search NAME``; nothing in this folder imports torch, Optuna or a plotting
library. The words that it lists (samplers, protocols, studies) are compared with the program's own by a test.
"""
