"""What Prometheus reads: requests, counted in this process, and everything else from the store, in one round.

Label values are bounded in number: route templates, methods, statuses, queues, priorities (-10 to 10), ends, outcomes,
models, devices, regularizers; never ids, users or paths.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from initshape.store import AsyncStore, StoreError, tallies
from initshape.store.condition import version_of
from initshape.store.tallies import Gauges

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
LOOK_SECONDS: Final = 1.0
"""A store that takes longer counts as away."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)


class Requests:
    """Requests of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count = Counter(
            "initshape_http_requests", "Requests by route template.", ("route", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "initshape_http_request_seconds", "Time to the first byte of the answer; long polls wait on purpose.",
            ("route", "method"), buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip

        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answer."""
        method = method if method in _METHODS else "other"
        found = self._found.get((route, method, status))
        if found is None:  # looking labels up costs more than counting
            found = self._count.labels(route, method, str(status)), self._seconds.labels(route, method)
            self._found[route, method, status] = found
        found[0].inc()
        found[1].observe(seconds)


async def look(store: AsyncStore) -> Gauges | None:
    """The store now; None where it does not answer in time."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await store.run(tallies.read())
    except (StoreError, TimeoutError):
        return None


def exposition(requests: Requests, found: Gauges | None) -> bytes:
    """The text format."""
    return generate_latest(requests.registry) + generate_latest(_Snapshot(found))


class _Snapshot:
    """What was found, as the library wants it: something to collect from."""

    def __init__(self, found: Gauges | None) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("initshape_redis_up", "Whether Redis answered.", float(self._found is not None))
        if self._found is not None:
            yield from _queues(self._found)
            yield from _counters(self._found.counters)
            yield from _durations(self._found.counters)
            yield from _redis(self._found.info)


def _queues(found: Gauges) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("initshape_queue_jobs", "Jobs that wait.", labels=("queue",))
    slots = GaugeMetricFamily("initshape_workers_alive", "Processes that may claim.", labels=("queue",))
    running = GaugeMetricFamily("initshape_running_jobs", "Claimed jobs; held: not begun.", labels=("queue", "state"))
    places = GaugeMetricFamily("initshape_queue_places", "Places in the lines of a priority: one a job and user.",
                               labels=("queue", "priority"))  # fmt: skip
    oldest = GaugeMetricFamily("initshape_queue_oldest_seconds", "Since the longest waiting was queued.",
                               labels=("queue", "priority"))  # fmt: skip
    for name, queue in found.queues.items():
        waiting.add_metric((name,), queue.waiting)
        slots.add_metric((name,), queue.slots)
        running.add_metric((name, "begun"), queue.running)
        running.add_metric((name, "held"), queue.held)
        for line in queue.lines:
            places.add_metric((name, str(line.priority)), line.places)
            oldest.add_metric((name, str(line.priority)), line.oldest)
    yield from (waiting, slots, running, places, oldest)
    jobs = GaugeMetricFamily("initshape_jobs", "Jobs that are known, by status.", labels=("status",))
    for status, number in found.jobs.items():
        jobs.add_metric((status,), number)
    yield jobs


_FAMILIES: Final = {
    # first word of the name: metric, help, labels that the rest of the name holds
    "attempt": ("initshape_attempts", "Ended attempts, by how they ended.", ("how",)),
    "submitted": ("initshape_submissions", "Submissions: queued, joined or known.", ("answer",)),
    "claimed": ("initshape_claims", "Jobs that workers have claimed.", ()),
    "requeued": ("initshape_requeues", "Jobs that went back to the queue.", ()),
    "lease": ("initshape_lease_losses", "Leases that expired under a job.", ()),
    "failed": ("initshape_failures", "Jobs that failed, by error code.", ("code",)),
    "outcome": ("initshape_results", "Finished jobs, by outcome.", ("outcome",)),
    "flow": ("initshape_flows", "Flows of finished jobs, by outcome.", ("outcome",)),
    "fit": ("initshape_fits", "Fits of finished jobs.", ("regularizer", "outcome")),
}


def _counters(counted: Any) -> Iterator[Metric]:
    found = {kind: CounterMetricFamily(name, text, labels=labels) for kind, (name, text, labels) in _FAMILIES.items()}
    for name, number in sorted(counted.items()):
        kind, *values = name.split(" ")
        if kind in found:
            found[kind].add_metric(values[: len(_FAMILIES[kind][2])], number)
    for kind, family in found.items():
        if not _FAMILIES[kind][2] and not family.samples:
            family.add_metric((), 0)
        yield family


def _durations(counted: Any) -> Iterator[Metric]:
    family = HistogramMetricFamily("initshape_job_seconds", "Time from the claim, or the turn in it, to the result.",
                                   labels=("model", "device"))  # fmt: skip
    classes = sorted(name.removeprefix("time ") for name in counted if name.startswith("time "))
    for name in classes:
        numbers = [counted.get(f"took {name} {k}", 0) for k in range(len(tallies.BOUNDS) + 1)]
        family.add_metric(name.split(" "), list(_cumulative(numbers)), counted[f"time {name}"] / 1000)
    yield family


def _cumulative(numbers: Iterable[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, number in zip([*(f"{bound:.3g}" for bound in tallies.BOUNDS), "+Inf"], numbers, strict=True):
        total += number
        yield bound, float(total)


def _redis(info: Any) -> Iterator[Metric]:
    persistent = bool(info.get("aof_enabled")) and info.get("aof_last_write_status", "ok") == "ok"
    for name, text, value in (
        ("memory_bytes", "Memory in use.", info.get("used_memory")),
        ("memory_resident_bytes", "Memory as the system counts it.", info.get("used_memory_rss")),
        ("memory_limit_bytes", "maxmemory; 0: no limit.", info.get("maxmemory")),
        ("loading", "Whether it reads its files after a start.", info.get("loading")),
        ("persistent", "Whether the append-only file is on and was written without an error.", persistent),
        ("rewrite_ok", "Whether the last rewrite of that file went well.",
         info.get("aof_last_bgrewrite_status", "ok") == "ok"),
        ("file_bytes", "Size of that file.", info.get("aof_current_size")),
        ("last_save_timestamp_seconds", "Time of the last snapshot or start.", info.get("rdb_last_save_time")),
        ("uptime_seconds", "Since its start.", info.get("uptime_in_seconds")),
    ):  # fmt: skip
        if value is not None:
            yield GaugeMetricFamily(f"initshape_redis_{name}", text, float(value))
    version = GaugeMetricFamily("initshape_redis_info", "Name and version of the server.", labels=("version",))
    version.add_metric((version_of(info),), 1)
    yield version
