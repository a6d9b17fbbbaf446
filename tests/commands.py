"""A command of a test's own, for what every command line does alike."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from types import ModuleType

from space.command_line import Command

MODULE = "command_of_a_test"


def command(execute: Callable[[argparse.Namespace], int], name: str = "go") -> Command:
    """Without options; ``execute`` is what it does."""
    module = ModuleType(MODULE)
    module.add_options = lambda parser: None
    module.execute = execute
    sys.modules[MODULE] = module
    return Command(name, "", MODULE, f"{MODULE}:execute")
