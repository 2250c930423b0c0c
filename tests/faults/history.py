"""The event log as the checks see it: attempts, outages, who was hit by what. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.faults.journal import Event
from tests.faults.schedule import CHILD, FREEZE, REDIS, REDIS_FREEZE, WORKER

ON_WORKERS = (CHILD, WORKER, FREEZE)
ON_REDIS = (REDIS, REDIS_FREEZE)


@dataclass(frozen=True)
class Attempt:
    """One ended attempt of a job; times are seconds since the epoch."""

    id: str
    attempt: int
    fence: int
    worker: str
    started: float
    ended: float
    how: str

    @property
    def pids(self) -> tuple[int, ...]:
        """Parent and child of `node:parent/child`."""
        parent, _, child = self.worker.rpartition(":")[2].partition("/")
        return tuple(int(number) for number in (parent, child) if number.isdigit())


@dataclass(frozen=True)
class Window:
    """Something was broken from `began` to `ended`, and which processes that hit."""

    what: str
    target: str
    began: float
    ended: float
    pids: tuple[int, ...] = ()

    def overlaps(self, began: float, ended: float, margin: float = 0.0) -> bool:
        """Whether it has anything to do with that time."""
        return self.began - margin <= ended and began <= self.ended + margin


class History:
    """Events of one run, sorted by time."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._by_kind: dict[str, list[Event]] = defaultdict(list)
        for event in sorted(events, key=lambda event: event["t"]):
            self._by_kind[event["kind"]].append(event)

    def all(self, kind: str) -> list[Event]:
        """Events of one kind."""
        return self._by_kind[kind]

    def requests(self, *what: str) -> Iterator[Event]:
        """HTTP exchanges, of these kinds or all."""
        return (event for event in self.all("request") if not what or event["what"] in what)

    @cached_property
    def accepted(self) -> dict[str, list[float]]:
        """Jobs that a client was promised, with the times of the promises (before they were answered)."""
        found: dict[str, list[float]] = defaultdict(list)
        for event in self.requests():
            if event.get("accepted"):
                for id in event.get("ids") or [event["id"]]:
                    found[id].append(event["sent"])
        return dict(found)

    @cached_property
    def queued(self) -> dict[str, list[float]]:
        """The same, without those that were answered with a known result: a claim has to follow."""
        found: dict[str, list[float]] = defaultdict(list)
        for event in self.requests():
            for id, state in zip(*_jobs(event), strict=True):
                if event.get("accepted") and state != "succeeded":
                    found[id].append(event["sent"])
        return dict(found)

    @cached_property
    def records(self) -> dict[str, Event]:
        """The last record of each job that is still there."""
        return {event["id"]: event for event in self.all("record") if event["status"] is not None}

    @cached_property
    def attempts(self) -> dict[str, list[Attempt]]:
        """Ended attempts of each job, oldest first."""
        return {
            id: [
                Attempt(id, a["attempt"], a["fence"], a["worker"] or "", a["started"], a["ended"], a["how"])
                for a in record["attempts"]
            ]
            for id, record in self.records.items()
        }

    @cached_property
    def windows(self) -> list[Window]:
        """What was broken, and until when."""
        mended = {(e["what"], e["target"], e["began"]): e["t"] for e in self.all("mended")}
        return [
            Window(
                e["what"], e["target"], e["t"], mended.get((e["what"], e["target"], e["t"]), e["t"]), tuple(e["pids"])
            )
            for e in self.all("fault")
        ]

    def windows_of(self, *what: str) -> list[Window]:
        """Those of some kinds."""
        return [window for window in self.windows if window.what in what]

    def during(self, began: float, ended: float, *what: str, margin: float = 0.0) -> bool:
        """Whether anything of these kinds was broken then."""
        return any(window.overlaps(began, ended, margin) for window in self.windows_of(*what))

    def hits(self, attempt: Attempt, slack: float = 0.2) -> list[Window]:
        """Faults of the worker of an attempt while it lasted."""
        return [
            window for window in self.windows_of(*ON_WORKERS)
            if set(window.pids) & set(attempt.pids) and window.overlaps(attempt.started, attempt.ended, slack)
        ]  # fmt: skip

    def withdrawn(self, id: str, began: float, ended: float) -> bool:
        """Whether somebody asked then that the job be stopped: no claim has to follow."""
        return any(began <= sent <= ended for sent in self._withdrawals.get(id, ()))

    @cached_property
    def _withdrawals(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = defaultdict(list)
        for event in self.requests("cancel", "delete"):
            found[event["id"]].append(event["sent"])
        return found

    def stalled(self, began: float, ended: float) -> float:
        """Seconds for which the machine let nobody run who watches the clock."""
        return sum(e["seconds"] for e in self.all("stall") if e["t"] - e["seconds"] <= ended and began <= e["t"])


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that so large a share does not exceed; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))
    return ordered[place]


def _jobs(event: Event) -> tuple[list[str], list[str | None]]:
    """Ids that a request is about, and the states that were answered."""
    if "ids" in event:
        return event["ids"], event["states"]
    return [event["id"]], [event.get("state")]
