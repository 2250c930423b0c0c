"""What became of the jobs: nothing accepted is lost, nothing finishes twice, the numbers are those of a quiet run."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from tests.faults.checks.finding import Finding
from tests.faults.history import ON_WORKERS, History

TERMINAL = ("succeeded", "failed", "cancelled")
TOLERANCE = 1e-10
POISON = 3


def settled(history: History) -> Finding:
    """A job may be gone only where its client wanted to delete it, cancelled only where a client wanted that, and fail
    only with `lost`, after three deaths.
    """
    withdrawing = {event["id"] for event in history.requests("cancel", "delete")}
    deleting = {event["id"] for event in history.requests("delete")}
    ends: Counter[str] = Counter()
    broken = []
    for id in history.accepted:
        record = history.records.get(id)
        if record is None:
            ends["deleted"] += 1
            if id not in deleting:
                broken.append(f"{id} was accepted and is gone")
            continue
        ends[record["status"]] += 1
        if record["status"] not in TERMINAL:
            broken.append(f"{id} is {record['status']} for ever")
        elif record["status"] == "cancelled" and id not in withdrawing:
            broken.append(f"{id} was cancelled, and nobody had asked for that")
        elif record["status"] == "failed":
            deaths = sum(attempt.how == "lost" for attempt in history.attempts[id])
            if record["error"] != "lost" or deaths < POISON:
                broken.append(f"{id} failed with {record['error']} after {deaths} deaths of its worker")
    text = ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))
    return Finding("terminal", "every accepted job ends", f"{len(history.accepted)} accepted: {text}", broken)


def one_finish(history: History) -> Finding:
    """By the workers' logs, by the store's history, and by the entity tags that clients have read."""
    broken = []
    taken: Counter[tuple[str, int]] = Counter()
    stale = 0
    for event in history.all("finish"):
        if event["answer"] == "accepted":
            taken[event["id"], event["attempt"]] += 1
        else:
            stale += 1
    broken += [f"{id} attempt {attempt}: {n} ends were accepted" for (id, attempt), n in taken.items() if n > 1]
    told: dict[str, set[int]] = defaultdict(set)
    for id, attempt in taken:
        told[id].add(attempt)
    finished = untold = 0
    for id, attempts in history.attempts.items():
        ends = Counter(attempt.attempt for attempt in attempts)
        broken += [f"{id} attempt {attempt} ended {n} times" for attempt, n in ends.items() if n > 1]
        finishes = [attempt.attempt for attempt in attempts if attempt.how == "finished"]
        finished += len(finishes)
        untold += sum(attempt not in told[id] for attempt in finishes)
        asked = len(history.accepted.get(id, ()))
        if len(finishes) > asked:
            broken.append(f"{id} was asked for {asked} times and finished {len(finishes)} times")
        if history.records[id]["status"] == "succeeded" and not finishes:
            broken.append(f"{id} has succeeded, and no attempt has finished")
        how = {attempt.attempt: attempt.how for attempt in attempts}
        broken += [
            f"{id} attempt {attempt}: its worker was told `accepted`, the store says {how[attempt]}"
            for attempt in sorted(told[id] & how.keys())
            if how[attempt] in ("lost", "returned")
        ]
    tags: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in history.requests("read"):
        if event["status"] == 200:
            tags[event["id"], event["attempt"]].add(event["etag"])
    broken += [f"{id} attempt {attempt} has {len(t)} results" for (id, attempt), t in tags.items() if len(t) > 1]
    deleting = {event["id"] for event in history.requests("delete")}
    for id, attempt in tags:  # a job that was deleted and sent again counts from one again
        how = {} if id in deleting else {one.attempt: one.how for one in history.attempts.get(id, ())}
        if how.get(attempt, "finished") != "finished":  # the history keeps the last fifty
            broken.append(f"{id} attempt {attempt} was read, and ended {how[attempt]}")
    hits = len(history.windows_of(*ON_WORKERS))
    if untold > hits:  # a worker that dies between the answer and its log says nothing
        broken.append(f"{untold} finishes are in no worker's log, and only {hits} faults hit workers")
    text = (
        f"{finished} finishes, {len(taken)} ends in workers' logs, {stale} stale ones refused, {len(tags)} results read"
    )
    return Finding("one finish", "one accepted finish an attempt, one result", text, broken)


def fences(history: History) -> Finding:
    """Within a job they rise; no two attempts of any jobs share one; a fence has one holder."""
    broken = []
    owners: dict[int, set[tuple[str, int, str]]] = defaultdict(set)
    for id, attempts in history.attempts.items():
        for one, following in pairwise(attempts):
            if following.fence <= one.fence or following.attempt <= one.attempt:
                broken.append(f"{id}: fence {one.fence} of attempt {one.attempt}, then {following.fence}")
        for attempt in attempts:
            owners[attempt.fence].add((id, attempt.attempt, attempt.worker))
    last: dict[str, int] = {}
    for event in history.all("held"):
        if event["fence"] < last.get(event["id"], 0):
            broken.append(f"{event['id']}: fence {event['fence']} was seen after {last[event['id']]}")
        last[event["id"]] = event["fence"]
        owners[event["fence"]].add((event["id"], event["attempt"], event["worker"]))
    claims: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for event in history.all("claimed"):
        claims[event["fence"]].add((event["log"], event["pid"]))
    for fences_of in (owners, claims):
        broken += [f"fence {fence} is held by {sorted(who)}" for fence, who in fences_of.items() if len(who) > 1]
    return Finding(
        "fences", "strictly rising, one holder each", f"{len(owners)} fences, {len(claims)} in workers' logs", broken
    )


def same_results(history: History) -> Finding:
    """1e-10 in every number; how many agree to the bit is told."""
    compared = {event["id"]: event for event in history.all("compared")}
    broken, worst, bits = [], 0.0, 0
    wanted = [id for id, record in history.records.items() if record["status"] == "succeeded"]
    for id in wanted:
        event = compared.get(id)
        if event is None or event["difference"] is None or event["difference"] > TOLERANCE:
            broken.append(f"{id} differs by {event and event['difference']} from a quiet run")
        else:
            worst = max(worst, event["difference"])
            bits += event["bits"]
    text = f"{len(wanted)} compared, largest difference {worst:.1e}, {bits} to the bit"
    return Finding("same results", "equal to a quiet run to 1e-10", text, broken)
