"""Records, results and settings of runs that never happened."""

from dataclasses import replace

from evaluators.costs import Costs
from search.records import RungResult, RunResult, RunSettings, TrialRecord
from search.storage.study import Study
from space import ZOO
from tests.search_tests.conftest import settings

ARCHITECTURE = ZOO["s-lwsr16"].architecture


def trial(number: int, macs: int, *psnr_db: float, source: str = "search", status: str = "trained") -> TrialRecord:
    rungs = tuple(RungResult(rung, 100 * 2**rung, value, 0.8, 1.0, 0.1) for rung, value in enumerate(psnr_db))
    return TrialRecord(number, source, status, ARCHITECTURE, {}, Costs(1000, macs, 1, 1), rungs)


def result_of(*trials: TrialRecord, rungs: tuple[int, ...] = (100, 200, 400)) -> RunResult:
    return RunResult("r", settings(rungs=rungs), trials, 27.5, 1.0, "")


def as_result(study: Study) -> RunResult:
    trials = tuple(study.records[number] for number in sorted(study.records))
    return RunResult("r", study.settings, trials, 28.0, 1.0, "")


def of_task(name: str, **options: object) -> RunSettings:
    return replace(settings(rungs=(100, 200)), task=name, scale=1, input_size=(32, 32), options=options)
