"""The trainings of ``reproduce``: published configurations, each as published and with our input skip."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.costs import architecture_costs
from search.experiments.network_specs import forms
from search.experiments.queue_file import named_training
from search.experiments.training import Training
from space.architecture import Architecture
from space.command_line import parse_count
from space.errors import UserError
from space.tasks import task
from space.zoo import ZOO, PublishedNetwork, published_network


def chosen(names: Iterable[str], task_name: str | None, everything: bool) -> tuple[PublishedNetwork, ...]:
    """The entries that are named, of a task, or all.

    Raises:
        UserError: an unknown name or task, none or several of the three ways at once.
    """
    names = tuple(dict.fromkeys(names))
    if (bool(names) + (task_name is not None) + everything) != 1:
        raise UserError("reproduce takes names, or --task, or --all; for example: reproduce s-lwsr16 fsrcnn")
    if names:
        return tuple(published_network(name) for name in names)
    if task_name is not None:
        task(task_name)
    return tuple(entry for entry in ZOO.values() if task_name in (None, entry.task))


def trainings(
    entries: Iterable[PublishedNetwork],
    words: dict[str, str | None],
    protocol: str,
    steps: int,
    seed: int,
    train: tuple[str, ...],
    test: tuple[str, ...],
) -> tuple[Training, ...]:
    """Every form of every entry; ``words`` are options of the task, which must have them.

    Raises:
        UserError: as ``named_training``.
    """
    scale_text, found = words.get("scale"), []
    for entry in entries:
        scale = parse_count("--scale", scale_text, 1) if scale_text else entry.architecture.shape.scale
        found += [
            named_training(form, entry.task, words, protocol, steps, seed, train, test) for form in forms(entry, scale)
        ]
    return tuple(found)


def cheapest_first(asked: Iterable[Training]) -> tuple[Training, ...]:
    """By the multiply-accumulates of a step, so that of many networks a time limit leaves out the fewest."""
    return tuple(sorted(asked, key=_step_macs))


def _step_macs(training: Training) -> int:
    plan, network = training.plan, training.architecture
    assert isinstance(network, Architecture)  # published networks have one
    return plan.batch * architecture_costs(network, (plan.patch_px, plan.patch_px)).macs
