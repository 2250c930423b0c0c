"""When everything has ended nothing is on its way, and nothing that belongs to one job stays for ever."""

from __future__ import annotations

from tests.faults.checks.finding import Finding
from tests.faults.history import History

LASTING = frozenset({
    "index", "owner", "tag", "status", "shares", "stored", "numbers", "tallies", "format", "tokens", "token", "pulse",
    "workers",
})  # fmt: skip
"""Families of keys.py without a lifetime: one key each, or one a user or queue."""
EMPTY = (
    "leases", "waiting", "lines", "line", "active", "hooks", "unsettled", "outbox", "delivery", "pins", "holders",
)  # fmt: skip
A_JOB = ("job", "submitters", "attempts", "stream", "result", "checkpoint")


def idle(history: History) -> Finding:
    """Of the last look at all keys."""
    if not history.all("leftovers"):
        return Finding("idle", "nothing left on its way", "nobody looked", ["nobody looked at the keys"])
    left = history.all("leftovers")[-1]
    families, lasting = left["families"], left["lasting"]
    broken = [f"{families[name]} keys of `{name}`" for name in EMPTY if families.get(name)]
    broken += [
        f"{count} keys of `{family}` never expire"
        for family, count in lasting.items()
        if count and family not in LASTING and not family.startswith("celery")
    ]
    known = len(history.records)
    broken += [f"{families[n]} keys of `{n}` for {known} jobs" for n in A_JOB if families.get(n, 0) > known]
    messages = len(history.windows) + 2 * len({event["worker"] for event in history.all("warm")})
    broken += [f"{left[name]} messages in `{name}`" for name in ("unacked", "bell") if left[name] > messages]
    text = (
        f"{sum(families.values())} keys for {known} jobs, {left['memory'] / 2**20:.0f} MiB, {left['unacked']} messages "
        f"of dead workers, {families.get('upload', 0)} abandoned uploads"
    )
    return Finding("idle", "nothing on its way, nothing of a job for ever", text, broken)
