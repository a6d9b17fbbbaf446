"""The command line: ``python -m search COMMAND``. A user's mistake is one line on standard error and exit status 2."""

from __future__ import annotations

from collections.abc import Sequence

from space.command_line import Command, run_command

COMMANDS = tuple(
    Command(name, help_line, f"search.cli.options.{name}", f"search.cli.{module}:execute")
    for name, module, help_line in (
        ("run", "run", "search networks for a task under a budget"),
        ("report", "report", "write a run's tables, plots and page again"),
        ("dashboard", "dashboard", "a run as it stands, in Optuna's dashboard (where it is installed)"),
        ("pick", "pick", "the network of a run to take under other limits"),
        ("recost", "recost", "a run's front on other phones, without training"),
        ("confirm", "confirm", "a run's front trained again with several seeds"),
        ("compare", "compare", "the fronts of several runs on one plot"),
        ("train", "train", "one network to the end, from its weights, into a model folder"),
        ("compress", "compress", "one network made smaller: pruned, fine-tuned, in int8"),
        ("export", "export", "files of a network for the engines of phones, each checked against torch"),
        ("restore", "restore", "pictures through a network, in tiles that equal the whole picture"),
        ("cost", "cost", "parameters, MACs, memory and milliseconds of a published network or yours"),
        ("evaluate", "evaluate", "PSNR and SSIM of a network with its weights or given ones"),
        ("reproduce", "reproduce", "the published networks: published figures beside ours"),
        ("ablation", "ablation", "test a paper's claim: vary one choice, keep everything else equal"),
        ("queue", "queue", "train the next networks of a queue file"),
        ("benchmark", "benchmark", "a table of trainings, which cheap signals are compared with"),
        ("list", "catalogue", "tasks, published networks, knobs, and runs"),
        ("delete", "delete", "delete a run, after asking"),
    )
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 nothing or machine trouble, 2 a mistake, 130 interrupted."""
    return run_command(
        "python -m search",
        "Pareto fronts of image-restoration networks for phones.",
        COMMANDS,
        arguments,
        reassurance="; what is finished is kept: give the same command again",
    )
