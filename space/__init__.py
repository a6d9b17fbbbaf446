"""What can be built: architectures as values, the knobs that span the search space, networks, published networks.

Names are imported on first use, so that reading a command line does not wait for torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from space.architecture import Architecture, EndsSpec, IOShape, UpsamplerSpec
    from space.blocks import BLOCKS
    from space.build import architecture, architecture_from_dict, build
    from space.errors import UserError
    from space.search_space import SearchSpace
    from space.tasks import TASKS, Task
    from space.weights.loading import load_published
    from space.zoo import PAPERS, ZOO, PublishedNetwork

__all__ = [
    "BLOCKS",
    "PAPERS",
    "TASKS",
    "ZOO",
    "Architecture",
    "EndsSpec",
    "IOShape",
    "PublishedNetwork",
    "SearchSpace",
    "Task",
    "UpsamplerSpec",
    "UserError",
    "architecture",
    "architecture_from_dict",
    "build",
    "load_published",
]
_HOMES = {
    "space.architecture": ("Architecture", "EndsSpec", "IOShape", "UpsamplerSpec"),
    "space.blocks": ("BLOCKS",),
    "space.build": ("architecture", "architecture_from_dict", "build"),
    "space.errors": ("UserError",),
    "space.search_space": ("SearchSpace",),
    "space.tasks": ("TASKS", "Task"),
    "space.weights.loading": ("load_published",),
    "space.zoo": ("PAPERS", "ZOO", "PublishedNetwork"),
}


def _export(home: str, name: str) -> property:
    """``build`` and ``architecture`` are functions, though modules have these names too: an import of the module sets
    the attribute, which changes nothing here."""

    def value(_space: ModuleType) -> Any:
        return getattr(import_module(home), name)

    def refuse(_space: ModuleType, new: object) -> None:
        if not isinstance(new, ModuleType):
            raise AttributeError(f"space.{name} is {home}.{name}; set it there")

    return property(value, refuse)


class _Space(ModuleType):
    """This package's type, with the exports as properties."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


for _home, _names in _HOMES.items():
    for _name in _names:
        setattr(_Space, _name, _export(_home, _name))
sys.modules[__name__].__class__ = _Space
