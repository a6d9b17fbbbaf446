"""What can be built: architectures as values, the knobs that span them, the networks, and the papers' points."""

from space.architecture import Architecture, BlockSpec, IOShape, UpsamplerSpec
from space.build import architecture, architecture_from_dict, build
from space.errors import UserError
from space.papers import PAPERS, Paper
from space.papers.published_weights import load_published
from space.sample import random_architecture, random_knobs
from space.tasks import TASKS, Task

__all__ = [
    "PAPERS",
    "TASKS",
    "Architecture",
    "BlockSpec",
    "IOShape",
    "Paper",
    "Task",
    "UpsamplerSpec",
    "UserError",
    "architecture",
    "architecture_from_dict",
    "build",
    "load_published",
    "random_architecture",
    "random_knobs",
]
