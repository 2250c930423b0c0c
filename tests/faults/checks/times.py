"""How long things took: deaths and who is to blame for them, the way back to a worker, waiting, cancels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest

from tests.faults.checks.finding import Finding
from tests.faults.history import ON_REDIS, ON_WORKERS, Attempt, History, Window, quantile
from tests.faults.schedule import API, CHILD, FREEZE, WORKER

QUEUED_AGAIN_SECONDS = 7.0
RUNNING_AGAIN_SECONDS = 10.0
CANCEL_SECONDS = 2.0
WAIT_SECONDS = 60.0
WARM_SECONDS = 5.0
"""After its libraries were first seen loaded, a child is ready for a claim."""
UNKNOWN_SECONDS = 60.0
GRACE_SECONDS = 12.0
"""After an outage: what is left of a lease, and the grace time of one lease."""


def restarts(history: History) -> Finding:
    """An attempt is lost only by a fault of its own worker: whoever lived through an outage of Redis keeps the job."""
    lost = [a for attempts in history.attempts.values() for a in attempts if a.how == "lost"]
    broken = [f"{a.id} attempt {a.attempt} was taken from {a.worker}, unhurt" for a in lost if not history.hits(a)]
    outages = history.windows_of(*ON_REDIS)
    lived = sum(
        any(a.started < window.began and window.ended < a.ended for window in outages)
        for attempts in history.attempts.values()
        for a in attempts
        if a.how != "lost"
    )
    text = f"{len(lost)} lost attempts; {len(outages)} outages of Redis, which {lived} attempts lived through"
    return Finding("restarts", "0 where the worker lived", text, broken)


def queued_again(history: History) -> Finding:
    """From the kill to the end of the attempt, on Redis's clock; outages of Redis apart."""
    times = [(attempt, attempt.ended - kill.began) for attempt, kill, _ in _killed(history)]
    broken = [f"{a.id} attempt {a.attempt}: {t:.1f} s" for a, t in times if t > QUEUED_AGAIN_SECONDS]
    kills = history.windows_of(CHILD, WORKER)
    text = (
        f"{len(kills)} SIGKILLs, {len(times)} jobs hit by them: median {quantile((t for _, t in times), 0.5):.2f} s, "
        f"longest {max((t for _, t in times), default=0.0):.2f} s"
    )
    return Finding("queued again", f"within {QUEUED_AGAIN_SECONDS:g} s of a SIGKILL", text, broken)


def running_again(history: History) -> Finding:
    """From the kill to the next claim, where a warm worker had nothing to do meanwhile."""
    busy = _intervals(history)
    within, excused, broken = [], 0, []
    for attempt, kill, following in _killed(history):
        if following is None:
            continue
        took = following.started - kill.began
        if took <= RUNNING_AGAIN_SECONDS:
            within.append(took)
        elif _anybody_free(history, busy, attempt.ended, kill.began + RUNNING_AGAIN_SECONDS):
            broken.append(f"{attempt.id} attempt {following.attempt}: {took:.1f} s, and a warm worker was free")
        else:
            excused += 1
    text = (
        f"{len(within)} within: median {quantile(within, 0.5):.2f} s, longest {max(within, default=0.0):.2f} s; "
        f"{excused} later, no warm worker was free"
    )
    return Finding("running again", f"within {RUNNING_AGAIN_SECONDS:g} s where a warm worker is free", text, broken)


def waits(history: History) -> Finding:
    """From each promise to the next claim, and from each loss to the next claim; outages of Redis are not counted."""
    waited: list[tuple[str, float]] = []
    for id, attempts in history.attempts.items():
        for asked in history.queued.get(id, ()):
            following = next((a for a in attempts if a.ended >= asked), None)
            if following is not None and not history.withdrawn(id, asked, following.started):
                waited.append((id, _open(history, asked, following.started)))
        for one, following in pairwise(attempts):
            wanted = not history.withdrawn(id, one.started, following.started)
            if wanted and one.how in ("lost", "handed_over", "returned"):
                waited.append((id, _open(history, one.ended, following.started)))
    broken = [f"{id} waited {seconds:.0f} s" for id, seconds in waited if seconds > WAIT_SECONDS]
    seconds = [s for _, s in waited]
    text = f"{len(waited)} waits: median {quantile(seconds, 0.5):.2f} s, longest {max(seconds, default=0.0):.1f} s"
    return Finding("waits", f"no job waits {WAIT_SECONDS:g} s for a claim", text, broken)


def cancels(history: History) -> Finding:
    """From the request to the state `cancelled` at the client; those that a fault met as well are told apart."""
    calm, disturbed = [], []
    for event in history.all("cancel"):
        began, ended = event["sent"], event["sent"] + event["took"]
        hit = history.during(began, ended, *ON_REDIS, API, margin=1.0) or any(
            history.hits(attempt) for attempt in history.attempts.get(event["id"], ()) if attempt.ended >= began
            and attempt.started <= ended
        )  # fmt: skip
        (disturbed if hit else calm).append(event["took"])
    slow = quantile(calm, 0.99)
    running = sum(event["before"] == "cancelling" for event in history.all("cancel"))
    text = (
        f"{len(calm)} ({running} of all were running): p99 {slow:.2f} s, longest {max(calm, default=0.0):.2f} s; "
        f"{len(disturbed)} beside a fault, longest {max(disturbed, default=0.0):.1f} s"
    )
    broken = [f"p99 is {slow:.2f} s"] if slow > CANCEL_SECONDS else []
    return Finding("cancels", f"p99 at most {CANCEL_SECONDS:g} s", text, broken)


def _killed(history: History) -> Iterator[tuple[Attempt, Window, Attempt | None]]:
    """Attempts that a SIGKILL ended, the kill, and the attempt that came next without anybody's asking."""
    for attempts in history.attempts.values():
        for one, following in zip_longest(attempts, attempts[1:]):
            kills = [hit for hit in history.hits(one) if hit.what in (CHILD, WORKER)]
            if not kills or one.how not in ("lost", "returned"):
                continue
            kill = kills[0]
            frozen = any(hit.what == FREEZE for hit in history.hits(one))
            if frozen or history.during(kill.began - GRACE_SECONDS, one.ended, *ON_REDIS):
                continue
            wanted = following is not None and not history.withdrawn(one.id, one.started, following.started)
            yield one, kill, following if wanted else None


def _intervals(history: History) -> dict[int, list[tuple[float, float]]]:
    """By child: when it was at a job."""
    busy: dict[int, list[tuple[float, float]]] = {event["child"]: [] for event in history.all("warm")}
    for attempts in history.attempts.values():
        for attempt in attempts:
            if len(attempt.pids) == 2:
                busy.setdefault(attempt.pids[1], []).append((attempt.started, attempt.ended))
    ends = {(event["id"], event["attempt"]): event["at"] for event in history.all("finish") if "at" in event}
    for event in history.all("claimed"):  # jobs that were deleted have no record
        if event["id"] not in history.records and "at" in event:
            end = ends.get((event["id"], event["attempt"]), event["at"] + UNKNOWN_SECONDS)
            busy.setdefault(event["pid"], []).append((event["at"], end))
    return busy


def _anybody_free(history: History, busy: dict[int, list[tuple[float, float]]], began: float, ended: float) -> bool:
    for event in history.all("warm"):
        if event["t"] + WARM_SECONDS > began:
            continue
        pids = {event["child"], event["parent"]}
        if any(pids & set(w.pids) and w.began <= ended and (w.what != FREEZE or w.ended >= began)
               for w in history.windows_of(*ON_WORKERS)):  # fmt: skip
            continue
        times = busy.get(event["child"], ())
        lived = any(start > ended for start, _ in times)  # it may have ended itself
        if lived and not any(start <= ended and began <= end for start, end in times):
            return True
    return False


def _open(history: History, began: float, ended: float) -> float:
    """Seconds between, without those in which Redis was away."""
    away = sum(
        max(0.0, min(ended, window.ended) - max(began, window.began)) for window in history.windows_of(*ON_REDIS)
    )
    return max(0.0, ended - began - away)
