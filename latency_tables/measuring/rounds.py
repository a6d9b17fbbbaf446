"""Rounds: every model once per round, in a new random order, with a reference between them."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from latency_tables.measuring.raw_timings import REFERENCE, RawTimings
from latency_tables.measuring.targets.session import Job, ModelFailedError, Session
from space.errors import UserError

REFERENCE_EVERY = 12  # models
Models = Mapping[str, Callable[[], bytes]]


@dataclass(frozen=True)
class Protocol:
    """How often each model is timed. ``rounds`` for all, more up to ``most_rounds`` for those whose error is above
    ``error_limit``; in a round ``warmup`` runs and then ``repeats``, or fewer after ``budget_s`` seconds."""

    threads: int = 1
    cores: tuple[int, ...] = ()
    rounds: int = 5
    most_rounds: int = 8
    error_limit: float = 0.03
    warmup: int = 1
    repeats: int = 5
    budget_s: float = 0.5


class Rounds:
    """Times ``models`` on ``session`` into ``timings``; what is there already is not timed again."""

    def __init__(
        self, session: Session, models: Models, reference: Callable[[], bytes], protocol: Protocol, timings: RawTimings
    ) -> None:
        self.session, self.models, self.protocol, self.timings = session, models, protocol, timings
        self._reference = reference
        self._written: dict[str, bytes] = {}
        self._since_reference = REFERENCE_EVERY

    def total(self) -> int:
        """Timings of the rounds that all models get."""
        return len(self.models) * self.protocol.rounds

    def run(self, advance: Callable[[str], None] = lambda key: None) -> None:
        """Raises: ConnectionLostError: what was timed so far is in the file."""
        for number in range(self.protocol.rounds):
            self._round(number, list(self.models), advance)
        for number in range(self.protocol.rounds, self.protocol.most_rounds):
            figures = self.timings.figures()
            noisy = [key for key in self.models if key in figures and self._is_noisy(figures[key].relative_error)]
            self._round(number, noisy, lambda key: None)

    def _is_noisy(self, error: float) -> bool:
        return error > self.protocol.error_limit

    def _round(self, number: int, keys: list[str], advance: Callable[[str], None]) -> None:
        self._since_reference = REFERENCE_EVERY
        for index in np.random.default_rng(number).permutation(len(keys)):
            key = keys[index]
            if not self.timings.has(key, number):
                if self._since_reference >= REFERENCE_EVERY:
                    self._time(REFERENCE, number, self._reference)
                    self._since_reference = 0
                self._time(key, number, self.models[key])
                self._since_reference += 1
            advance(key)

    def _time(self, key: str, number: int, write: Callable[[], bytes]) -> None:
        start = time.monotonic()
        try:
            model = self._model(key, write)
        except UserError as error:
            if key == REFERENCE:
                raise
            self.timings.fail(key, str(error))
            return
        p = self.protocol
        try:
            timing = self.session.time(Job(key, model, p.threads, p.cores, p.warmup, p.repeats, p.budget_s))
        except ModelFailedError as error:
            if key == REFERENCE:
                raise UserError(f"the reference operator must run on the device, but it failed: {error}") from None
            self.timings.fail(key, str(error))
            return
        self.timings.add(key, number, timing, time.monotonic() - start)

    def _model(self, key: str, write: Callable[[], bytes]) -> bytes:
        if key not in self._written:
            self._written[key] = zlib.compress(write(), 1)
        return zlib.decompress(self._written[key])
