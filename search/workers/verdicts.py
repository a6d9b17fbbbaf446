"""A circuit breaker: networks that fail in a row for the same reason are not to blame for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from search.workers.messages import Failed, MachineTrouble
from space.logs import LOGGER

SAME_REASON = 3  # networks in a row that fail for one reason
ANY_REASON = 10  # networks in a row that fail, whatever for


@dataclass
class Verdicts:
    """Decides whether each failure is the network's; until that is known, its job is under suspicion.

    A failure is settled when another network succeeds after it. Where none does, and ``SAME_REASON`` different
    networks failed for the same reason (its numbers aside), ``problem`` says so and the session has to end: the jobs
    under suspicion stay as they were, to be tried again. A training that diverged is settled at once: that happens
    inside the network.
    """

    problem: str | None = None
    _suspects: dict[int, tuple[Failed, str]] = field(default_factory=dict)
    _has_succeeded: bool = False

    @property
    def suspects(self) -> frozenset[int]:
        """Numbers of jobs whose failure is not settled; this session must not begin them again."""
        return frozenset(self._suspects)

    def succeeded(self) -> list[Failed]:
        """A network was trained and measured; returns the failures that this settles."""
        self._has_succeeded = True
        return self._settle()

    def failed(self, answer: Failed, network: str) -> list[Failed]:
        """The job of ``network`` (``Architecture.key``) failed; returns the failures that this settles."""
        LOGGER.error("job %d failed: %s\n%s", answer.number, answer.reason, answer.trace)
        if answer.diverged:
            return [answer]
        self._suspects[answer.number] = (answer, network)
        same = {key for other, key in self._suspects.values() if _kind(other) == _kind(answer)}
        if len(same) >= SAME_REASON:
            self._stop(f"{len(same)} networks in a row failed for the same reason, {answer.reason}")
        elif len({key for _, key in self._suspects.values()}) >= ANY_REASON:
            self._stop(f"{ANY_REASON} networks in a row failed, the last one for {answer.reason}")
        return []

    def machine(self, answer: MachineTrouble) -> None:
        """The machine failed, which ends the session."""
        LOGGER.error("trouble of the machine: %s\n%s", answer.reason, answer.trace)
        if self.problem is None:
            self._stop(answer.reason)

    def finish(self) -> list[Failed]:
        """No job is left: settle all suspicions, unless every network failed for the same reason."""
        if self.problem is None and self._suspects and not self._has_succeeded:
            answers = [answer for answer, _ in self._suspects.values()]
            if len({_kind(answer) for answer in answers}) == 1 and len(answers) > 1:
                self._stop(f"every network failed for the same reason, {answers[-1].reason}")
        return [] if self.problem else self._settle()

    def _stop(self, reason: str) -> None:
        self.problem = reason
        LOGGER.error("the session ends: %s", reason)

    def _settle(self) -> list[Failed]:
        settled = [answer for answer, _ in self._suspects.values()]
        self._suspects.clear()
        return settled


def _kind(answer: Failed) -> str:
    """The reason without its numbers: steps, sizes and addresses differ from network to network."""
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "#", answer.reason)
