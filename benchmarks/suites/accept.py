"""What the service adds to FastAPI: accepting experiments against a bare POST, known results, and a trivial job."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.markdown import number
from benchmarks.outcome import Bar, Effort, Outcome, Table, ratio
from benchmarks.serving.service import redis, service, token
from benchmarks.serving.stand import Served, free_port, served
from initshape.store.server import RedisServer

TITLE = "Accepting experiments"
ROUNDS, SECONDS, CONNECTIONS = 5, 2.0, 32
JOBS = 200
BARE, FULL, PLAIN = "bare FastAPI POST", "everything on", "validation and storing only"


def run(effort: Effort) -> Outcome:
    """Rounds in turn, so that each contender meets the same load of the machine; then jobs, one after the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = redis(stack, folder)
        secret = token(server.settings)
        bare = _bare(stack, folder)
        full = service(stack, folder, "full", server, secret)
        plain = service(stack, folder, "plain", server, "none")
        rounds = _rounds(bare, full, plain)
    waits = _waits()
    return Outcome(
        [_table(rounds), _waiting_table(waits)], bars(rounds, waits), {"rounds": rounds, "waits": waits}, NOTES
    )


def bars(rounds: dict[str, list[dict[str, Any]]], waits: dict[str, float]) -> list[Bar]:
    """Ratios of medians over the rounds."""
    rate = {name: _median(found, "rate") for name, found in rounds.items()}
    cpu = {name: _median(found, "cpu_ms") for name, found in rounds.items()}
    return [
        Bar("accepted a second, with tokens, quotas, audit and logs, against the bare POST",
            ratio(rate[FULL], rate[BARE]), ">=", 0.25),
        Bar("the same by the server's processor time", ratio(cpu[BARE], cpu[FULL]), ">=", 0.25),
        Bar("accepted a second, with validation and storing only", ratio(rate[PLAIN], rate[BARE]), ">=", 0.30),
        Bar("the same by the server's processor time", ratio(cpu[BARE], cpu[PLAIN]), ">=", 0.30),
        Bar("trivial job on a warm worker, from POST to result, p50, less what it computes",
            waits["p50_ms"] - waits["computing_ms"], "<=", 10.0, unit="ms"),
    ]  # fmt: skip


NOTES = [
    f"{CONNECTIONS} connections in a closed loop from another process on loopback; one uvicorn process on one core, "
    "Redis and the load on the other. `accepted a second` is bounded by that other core, too; the processor time of "
    "the server is what the service itself costs. `validation and storing only` is the server without authentication, "
    "quotas, audit and access log. A trivial job is `flow: {kind: none}` with one small fit: POST with `?wait=`, then "
    "GET of the result on the same connection, one job after the other."
]


def _rounds(bare: Served, full: Served, plain: Served) -> dict[str, list[dict[str, Any]]]:
    """One measurement a round and contender, after a warm-up. Every request is a new experiment, but for the known."""
    for one in (bare, full, plain):
        one.load("new", 1, 1.0, CONNECTIONS)
    found: dict[str, list[dict[str, Any]]] = {BARE: [], FULL: [], PLAIN: []}
    for k in range(ROUNDS):
        for j, (name, one) in enumerate(((BARE, bare), (FULL, full), (PLAIN, plain))):
            found[name].append(one.load("new", 10**7 * (3 * k + j + 1), SECONDS, CONNECTIONS))
            print(f"  {name}: {found[name][-1]['rate']:.0f}/s, {found[name][-1]['cpu_ms']:.3f} ms", flush=True)
    return found


def _waits() -> dict[str, float]:
    """Milliseconds from the POST to the result of jobs that need no flow, in a stack of its own with one worker."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = redis(stack, folder)
        api = service(stack, folder, "api", server, token(server.settings))
        _worker(stack, folder, server, api)
        times, computing = [], []
        line = stack.enter_context(closing(HTTPConnection("127.0.0.1", api.port, timeout=60)))
        for seed in range(JOBS + 20):
            begin = time.perf_counter()
            sent = _call(line, api.token, "POST", "/v1/experiments?wait=30", _trivial(seed))
            result = _call(line, api.token, "GET", f"/v1/experiments/{sent['id']}/result")
            took = time.perf_counter() - begin
            if seed >= 20:
                times.append(1000 * took)
                computing.append(1000 * sum(fit["seconds"] for fit in result["fits"]))
    times.sort()
    return {"jobs": len(times), "p50_ms": times[len(times) // 2], "p90_ms": times[int(0.9 * len(times))],
            "computing_ms": statistics.median(computing)}  # fmt: skip


def _trivial(seed: int) -> dict[str, Any]:
    return {
        "experiment": {
            "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10,
                        "seed": seed},
            "model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
            "flow": {"kind": "none"}, "regularizers": ["implicit"],
        }
    }  # fmt: skip


def _call(line: HTTPConnection, token: str, method: str, path: str, document: Any = None) -> dict[str, Any]:
    body = None if document is None else json.dumps(document).encode()
    line.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = line.getresponse()
    text = answer.read()
    if answer.status not in (200, 202):
        raise RuntimeError(text.decode())
    found: dict[str, Any] = json.loads(text)
    return found


def _bare(stack: ExitStack, folder: Path) -> Served:
    port = free_port()
    return stack.enter_context(served(BARE, "benchmarks.serving.bare", str(port), port=port, log=folder / "bare.log"))


def _worker(stack: ExitStack, folder: Path, server: RedisServer, api: Served) -> None:
    """One worker; up when the API says that it is ready."""
    command = ("--queue", "cpu", "--name", "bench")
    stack.enter_context(
        served("worker", "workers", *command, port=api.port, log=folder / "worker.log", path="/health/ready",
               environment=server.environment())
    )  # fmt: skip


def _median(found: list[dict[str, Any]], field: str) -> float:
    return float(statistics.median(one[field] for one in found))


def _table(rounds: dict[str, list[dict[str, Any]]]) -> Table:
    header = ("what", "a second", "of bare", "p50 ms", "p99 ms", "server's CPU ms", "of bare")
    rate, cpu = _median(rounds[BARE], "rate"), _median(rounds[BARE], "cpu_ms")
    body = [
        (f"**{name}**", number(_median(found, "rate")), number(_median(found, "rate") / rate),
         number(_median(found, "p50_ms")), number(_median(found, "p99_ms")), number(_median(found, "cpu_ms")),
         number(cpu / _median(found, "cpu_ms")))
        for name, found in rounds.items()
    ]  # fmt: skip
    return Table(f"POST /v1/experiments, medians of {ROUNDS} rounds of {SECONDS:g} s", header, body)


def _waiting_table(waits: dict[str, float]) -> Table:
    header = ("jobs", "p50 ms", "p90 ms", "computing ms")
    return Table("A trivial job, from POST to result", header, [tuple(number(value) for value in waits.values())])
