"""The tasks: what goes in and out, the size that costs are stated for, and the backbones that serve it."""

from __future__ import annotations

from dataclasses import dataclass

from space.architecture import IOShape
from space.errors import UserError


@dataclass(frozen=True, slots=True)
class Task:
    """One restoration task.

    ``input_sizes`` gives, per scale, the width and height in pixels of the network input that costs are stated for
    unless the user says otherwise.
    """

    name: str
    title: str
    channels: int
    input_sizes: dict[int, tuple[int, int]]
    default_scale: int
    backbones: tuple[str, ...]

    def shape(self, scale: int) -> IOShape:
        """Channels and scale of a network for this task.

        Raises:
            UserError: the task has no such scale.
        """
        if scale not in self.input_sizes:
            known = ", ".join(map(str, self.input_sizes))
            raise UserError(f"--scale of {self.name} must be one of {known}, got {scale}")
        return IOShape(self.channels, self.channels, scale)


TASKS: dict[str, Task] = {
    # 1280x720 output, as in the tables of CARN and s-LWSR; 427x240 is the whole-pixel input nearest to it at x3.
    "sr": Task("sr", "super-resolution", 3, {2: (640, 360), 3: (427, 240), 4: (320, 180)}, 4, ("symmetric", "plain")),
}


def task(name: str) -> Task:
    """The task called ``name``.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in TASKS:
        raise UserError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]
