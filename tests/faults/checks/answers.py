"""What clients were answered: no 5xx but the documented 503, and that in time."""

from __future__ import annotations

from collections import Counter

from tests.faults.checks.finding import Finding
from tests.faults.history import ON_REDIS, History, quantile
from tests.faults.journal import Event
from tests.faults.schedule import API

ANSWER_SECONDS = 2.0
MARGIN_SECONDS = 2.0
"""Around an outage: a round that began before it, connections that are made again after it."""
EXPECTED = {
    "submit": {200, 202}, "batch": {200}, "look": {200, 404}, "read": {200, 404, 409}, "cancel": {200, 404},
    "rerun": {202, 404}, "delete": {200, 404}, "list": {200},
}  # fmt: skip


def answers(history: History) -> Finding:
    """No answer at all is right only where the API was down."""
    broken = []
    counts: Counter[int] = Counter()
    elsewhere = 0
    for event in history.requests():
        status, began, ended = event["status"], event["sent"], event["sent"] + event["took"]
        counts[status] += 1
        if status == 0:
            if not history.during(began, ended, API, margin=0.5):
                broken.append(f"{_said(event)}: no answer ({event.get('error')}) after {event['took']:.1f} s")
        elif status == 503:
            if event.get("type") != "/problems/unavailable" or not str(event.get("retry_after") or "").isdigit():
                broken.append(f"{_said(event)}: 503 without what is documented")
            elsewhere += not history.during(began, ended, *ON_REDIS, margin=MARGIN_SECONDS)
        elif status not in EXPECTED[event["what"]]:
            broken.append(f"{_said(event)}: {status} {event.get('detail')}")
    text = (
        f"{sum(counts.values())} requests: {counts[503]} x 503 ({elsewhere} of them away from outages), "
        f"{counts[0]} while the API was down, {sum(n for s, n in counts.items() if s >= 500 and s != 503)} other 5xx"
    )
    return Finding("answers", "no 5xx but 503 with Retry-After", text, broken)


def outage_submits(history: History) -> Finding:
    """From the request, or from the outage where that came later; what the machine itself stood still is taken off."""
    took, broken = [], []
    for event in history.requests("submit", "batch"):
        sent, ended = event["sent"], event["sent"] + event["took"]
        met = [window.began for window in history.windows_of(*ON_REDIS) if window.overlaps(sent, ended)]
        if not met or history.during(sent, ended, API, margin=0.5):
            continue
        began = max(sent, min(met))
        took.append(ended - began)
        if ended - began - history.stalled(began, ended) > ANSWER_SECONDS:
            broken.append(f"{_said(event)}: {ended - began:.2f} s")
    text = (
        f"{len(took)} submits met an outage: median {quantile(took, 0.5):.2f} s, longest {max(took, default=0.0):.2f} s"
    )
    return Finding("submit in an outage", f"answered in {ANSWER_SECONDS:g} s", text, broken)


def _said(event: Event) -> str:
    return f"{event['what']} {event['id']} at {event['sent']:.3f}"
