"""A search with compressed trials, without training: workers that answer with a formula."""

from __future__ import annotations

from dataclasses import replace

from evaluators.compression.compression import INT8
from search.workers.jobs import Measured, RungJob
from search.workers.messages import Answer, Failed, Progress
from search.workers.pruning import PrunedNetwork, PruneJob
from space import build
from space.architecture import Architecture
from space.channels import channel_map
from tests.search_tests.conftest import FormulaWorkers, Killed, formula_psnr_db


class CompressingWorkers(FormulaWorkers):
    """Prunes half of the first group that there is; int8 costs a little quality."""

    prunes = True

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        if self.die_after is not None and len(self.done) >= self.die_after:
            raise Killed
        job = self.jobs.pop(0)
        self.done.append(job)
        if isinstance(job, PruneJob):
            if not self.prunes:
                return [Failed(job.number, "it cannot be pruned")]
            return [PrunedNetwork(job.number, job.parent, job.ratio, narrower(job.architecture), 0.1)]
        if not isinstance(job, RungJob):
            self.done.pop()
            self.jobs.append(job)
            return super().poll(timeout_s)
        psnr_db = formula_psnr_db(replace(job.architecture, widths=()), job.steps) - 0.01 * len(job.architecture.widths)
        psnr_db -= 0.05 * (job.compression.dtype == INT8)
        made = job.steps - job.begun_at
        return [Measured(job.number, psnr_db, 0.8, {"a": psnr_db}, 0.01 * made, made, 0.01)]


def narrower(arch: Architecture) -> Architecture:
    groups = channel_map(build(arch), arch.shape.in_channels).groups
    name = next(name for name, group in groups.items() if group.size > 1)
    return replace(arch, widths=((name, groups[name].size // 2),))
