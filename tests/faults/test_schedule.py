"""Schedules depend on the seed alone, and hold what was asked for; the log keeps what was written."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from tests.faults.journal import Journal, read
from tests.faults.schedule import CHILD, REDIS_FREEZE, SECONDS, WORKER, endless, schedule

COUNTS = {CHILD: 30, WORKER: 20, REDIS_FREEZE: 10}


def test_a_seed_is_a_schedule() -> None:
    assert schedule(3, COUNTS, 5.0) == schedule(3, COUNTS, 5.0)
    assert schedule(3, COUNTS, 5.0) != schedule(4, COUNTS, 5.0)


def test_counts_gaps_and_durations_are_those_asked_for() -> None:
    faults = schedule(1, COUNTS, 5.0, {CHILD: (1.0, 2.0)})
    assert Counter(fault.what for fault in faults) == COUNTS
    for fault in faults:
        low, high = SECONDS[fault.what] if fault.what != CHILD else (1.0, 2.0)
        assert low <= fault.seconds <= high
        assert 5.0 / 3 <= fault.after <= 15.0
    assert 3.5 < sum(fault.after for fault in faults) / len(faults) < 6.5


def test_an_endless_one_goes_on_in_proportion() -> None:
    faults = list(islice(endless(1, COUNTS, 5.0), 180))
    assert Counter(fault.what for fault in faults) == {what: 3 * count for what, count in COUNTS.items()}
    assert faults[:60] != faults[60:120]


def test_the_log_keeps_whole_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log")
    journal.write("request", urgent=True, id="x-1", status=202)
    journal.write("fault", t=1.0, what="child")
    journal.close()
    with journal.path.open("a") as log:
        log.write('{"kind": "half')
    first, second = read(journal.path)
    assert (first["kind"], first["id"], first["status"]) == ("request", "x-1", 202)
    assert second == {"t": 1.0, "kind": "fault", "what": "child"}
