"""An exported file in its engine as what tiles are run through; of a fixed size, every tile has that size."""

from __future__ import annotations

import numpy as np

from evaluators.export.formats import EngineNetwork
from evaluators.restore.plan import Planner
from evaluators.restore.tile_plan import TilePlan


class EngineRun:
    """``network`` as a function of `(1, C, h, w)`, float32."""

    def __init__(self, network: EngineNetwork) -> None:
        self._network = network
        self.size = network.size

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return self._network.run(np.ascontiguousarray(image, np.float32))

    def plan(self, planner: Planner, picture_size: tuple[int, int]) -> TilePlan:
        """Tiles of the file's size for a picture; one that is smaller on a side is extended.

        Raises:
            UserError: the file's size leaves nothing beside the halo.
        """
        assert self.size is not None  # else the planner chooses
        return planner.fixed(picture_size, self.size)
