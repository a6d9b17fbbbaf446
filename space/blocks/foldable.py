"""What a part does for its deploy form. It is declared, never guessed: a stranger's method may be called ``fold``."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Foldable(ABC):
    """A part whose batch norm, branches or factor can move into its convolutions."""

    @abstractmethod
    def fold(self) -> None:
        """Change the part in place so that it computes the same with fewer operators; a second time changes nothing."""
