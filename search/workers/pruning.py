"""The job of pruning a trial: which channels go, by its weights, and the smaller network's weights."""

from __future__ import annotations

import time
from dataclasses import dataclass

from evaluators.compression.compression import Compression
from evaluators.compression.design import design_costs
from evaluators.compression.pruning import prune
from evaluators.training.weights import load_weights, save_weights
from search.request.tables import TableUse, load_used
from search.storage.artifacts import ArtifactStore
from search.workers.messages import Job, Result
from space.architecture import Architecture
from space.build import build

SCOPE = "uniform"
"""Of all channels at once the least important are most of a residual stream's, which is added up of many blocks and so
has small weights in each: a share of it all but vanishes, and with it what the blocks have to work on."""


@dataclass(frozen=True, kw_only=True)
class PruneJob(Job):
    """Remove the share ``ratio`` of the channels of trial ``parent``, such that the cost ``objective`` falls.

    Costs are stated for ``input_size`` (width, height) and, in milliseconds, on ``tables``. ``weights`` and ``pruned``
    are names of artifacts: of the parent's weights, and of the smaller network's. ``number`` is of no trial.
    """

    parent: int
    ratio: float
    architecture: Architecture
    weights: str
    pruned: str
    objective: str
    input_size: tuple[int, int]
    tables: tuple[TableUse, ...]
    dtype: str


@dataclass(frozen=True)
class PrunedNetwork(Result):
    """``architecture`` is None where no channel could go so that the cost fell."""

    parent: int
    ratio: float
    architecture: Architecture | None
    seconds: float


def pruned_network(job: PruneJob, artifacts: ArtifactStore) -> PrunedNetwork:
    """Do ``job``; what is left of the weights is written down.

    Raises:
        RuntimeError: the parent's weights are gone.
    """
    begun = time.perf_counter()
    path = artifacts.get(job.weights)
    if path is None:
        raise RuntimeError(f"the weights that are to be pruned are gone: {job.weights}")
    network = build(job.architecture)
    load_weights(path, network)
    tables = load_used(job.tables)

    def cost(arch: Architecture) -> float:
        return design_costs(arch, Compression(dtype=job.dtype), job.input_size, tables).of(job.objective)

    found = prune(job.architecture, network, job.ratio, scope=SCOPE, cost=cost)
    if found.architecture == job.architecture:
        return PrunedNetwork(job.number, job.parent, job.ratio, None, time.perf_counter() - begun)
    artifacts.put(job.pruned, lambda file: save_weights(file, found.network, {}))
    return PrunedNetwork(job.number, job.parent, job.ratio, found.architecture, time.perf_counter() - begun)
