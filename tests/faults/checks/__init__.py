"""Invariants of a chaos run: each is a pure function of its history that answers with a Finding."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.checks.answers import answers, outage_submits
from tests.faults.checks.finding import Finding
from tests.faults.checks.idle import idle
from tests.faults.checks.results import fences, one_finish, same_results, settled
from tests.faults.checks.times import cancels, queued_again, restarts, running_again, waits
from tests.faults.history import History

CHECKS: tuple[Callable[[History], Finding], ...] = (
    settled, one_finish, fences, same_results, restarts, queued_again, running_again, waits, cancels, answers,
    outage_submits, idle,
)  # fmt: skip

__all__ = ["CHECKS", "Finding"]
