"""When everything has ended nothing is on its way, and nothing that belongs to one job stays for ever.

What may stay is what the table of `initshape/store/keys.py` says.
"""

from __future__ import annotations

import re
from functools import cache

from initshape.store import keys
from tests.faults.checks.finding import Finding
from tests.faults.history import History

LASTING = ("none", "pruned", "bounded")
A_JOB = ("job", "submitters", "attempts", "stream", "result", "checkpoint")
ROW = re.compile(r"^([a-z]\S*(?:, \S+)*)\s{2,}(?:hash|list|stream|string|set|zset)\s{2,}.*\s{2,}(\S.*)$", re.MULTILINE)


def idle(history: History) -> Finding:
    """Of the last look at all keys."""
    if not history.all("leftovers"):
        return Finding("idle", "nothing left on its way", "nobody looked", ["nobody looked at the keys"])
    left = history.all("leftovers")[-1]
    families, lasting = left["families"], left["lasting"]
    declared = lifetimes()
    broken = [
        f"{families[name]} keys of `{name}`"
        for name, lifetime in declared.items()
        if families.get(name) and ("empties" in lifetime or "taken" in lifetime)
    ]
    broken += [
        f"{count} keys of `{family}` never expire"
        for family, count in lasting.items()
        if count and not family.startswith("celery") and not declared.get(family, "").startswith(LASTING)
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


@cache
def lifetimes() -> dict[str, str]:
    """Family -> lifetime, as declared."""
    rows = ROW.findall(keys.__doc__ or "")
    return {name.partition(":")[0]: lifetime for names, lifetime in rows for name in names.split(", ")}
