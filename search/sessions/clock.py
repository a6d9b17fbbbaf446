"""A run's elapsed time, kept in its storage so that a continued run goes on with what is left."""

from __future__ import annotations

import time
from collections.abc import Collection

from search.records import TrialRecord
from search.sessions.progress import Listener
from search.storage.note_names import ELAPSED_S
from search.storage.study import Study
from search.workers.messages import Progress


class Clock:
    """A listener that passes every event on, and writes the elapsed time down every few seconds.

    ``begun`` is by ``time.monotonic``: a wall clock that is set forward or back would add to the time, or take away.
    """

    SAVE_EVERY_S = 10.0

    def __init__(self, study: Study, spent_s: float, begun: float, listener: Listener) -> None:
        self._study, self._spent_s, self._begun, self._saved = study, spent_s, begun, time.monotonic()
        self._listener = listener

    def save(self) -> None:
        self._saved = time.monotonic()
        try:
            self._study.note(ELAPSED_S, round(self._spent_s + self._saved - self._begun, 1))
        except OSError:
            pass  # a full disk: the clock runs a little late, no result is touched

    def tick(self, time_left_s: float | None) -> None:
        if time.monotonic() - self._saved > self.SAVE_EVERY_S:
            self.save()
        self._listener.tick(time_left_s)

    def said(self, line: str) -> None:
        self._listener.said(line)

    def known(self, records: Collection[TrialRecord]) -> None:
        self._listener.known(records)

    def started(self, record: TrialRecord, steps: int) -> None:
        self._listener.started(record, steps)

    def progressed(self, progress: Progress) -> None:
        self._listener.progressed(progress)

    def measured(self, record: TrialRecord) -> None:
        self._listener.measured(record)

    def failed(self, record: TrialRecord) -> None:
        self._listener.failed(record)

    def sharing_began(self, number: int, family: str, designs: int, steps: int) -> None:
        self._listener.sharing_began(number, family, designs, steps)

    def sharing_ended(self, number: int, line: str) -> None:
        self._listener.sharing_ended(number, line)
