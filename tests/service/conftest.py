"""A real server on real sockets and a stand-in for the workers, which speaks to the store as they do."""

from __future__ import annotations

import contextlib
import copy
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import numpy as np
import pytest

from initshape.spec.problem import JobError
from initshape.spec.result import ComparisonReport, FitReport, FlowReport, Provenance, Regime, Result
from initshape.store import Store, StoreSettings, leases, results, tokens
from initshape.store.documents import encode
from initshape.store.server import RedisServer
from initshape.store.tokens import Role
from service.server import Server as HttpServer
from service.settings import Settings

Json = dict[str, Any]

EXPERIMENT: Json = {
    "dataset": {"kind": "sparse_regression", "dimension": 12, "samples": 4, "sparsity": 2, "test_samples": 8},
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
}


@dataclass(frozen=True)
class Server:
    """A running API and the Redis behind it."""

    url: str
    store: StoreSettings


def serve(store: StoreSettings, **options: Any) -> tuple[Server, Callable[[], None]]:
    """Starts uvicorn in a thread; the second value stops it."""
    settings = Settings(redis_url=store.url, redis_password=store.password, **options)
    sock = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def stop() -> None:
        server.should_exit = True
        thread.join(timeout=10)
        sock.close()

    return Server(f"http://127.0.0.1:{sock.getsockname()[1]}", store), stop


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A store of these tests alone: the services below stay connected, and other tests look at who is."""
    with RedisServer(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture(scope="session")
def server(redis_server: RedisServer) -> Iterator[Server]:
    """With authentication, for the whole session."""
    found, stop = serve(redis_server.settings)
    yield found
    stop()


@pytest.fixture(scope="session")
def open_server(redis_server: RedisServer) -> Iterator[Server]:
    """Without authentication."""
    found, stop = serve(redis_server.settings, auth=False)
    yield found
    stop()


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts further servers: start(store settings, setting=...)."""
    stops = []

    def begin(store: StoreSettings, **options: Any) -> Server:
        found, stop = serve(store, **options)
        stops.append(stop)
        return found

    yield begin
    for stop in stops:
        stop()


@pytest.fixture
def serve_until_stopped() -> Callable[..., tuple[Server, Callable[[], None]]]:
    """Starts a server that the test itself stops."""
    return serve


def client(url: str, token: str | None) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.Client(base_url=url, headers=headers, timeout=70, trust_env=False)


@pytest.fixture
def connect() -> Iterator[Callable[[Server, str], httpx2.Client]]:
    """Clients of further servers: connect(server, token)."""
    with contextlib.ExitStack() as stack:
        yield lambda found, token: stack.enter_context(client(found.url, token))


@pytest.fixture
def api(server: Server, store: Store) -> Iterator[httpx2.Client]:
    """An admin's client; the store is empty."""
    with client(server.url, store.run(tokens.create("ada", Role.admin))) as found:
        yield found


@pytest.fixture
def login(server: Server, store: Store) -> Iterator[Callable[[str, str], httpx2.Client]]:
    """Clients of other users: login(user, role)."""
    made: list[httpx2.Client] = []

    def enter(user: str, role: str) -> httpx2.Client:
        made.append(client(server.url, store.run(tokens.create(user, Role(role)))))
        return made[-1]

    yield enter
    for one in made:
        one.close()


@pytest.fixture
def document() -> Json:
    """A valid submission, to be spoilt at will."""
    return {"experiment": copy.deepcopy(EXPERIMENT)}


@dataclass
class StandIn:
    """Does what a worker does, with made-up numbers."""

    store: Store
    claims: dict[str, leases.Claim] = field(default_factory=dict)

    def claim(self, count: int = 1) -> list[str]:
        """Claims the next jobs; answers their ids."""
        found: list[str] = []
        for _ in range(count):
            (claim,) = self.store.run(leases.claim("stand-in", "cpu", lease_seconds=60.0))
            self.claims[claim.id] = claim
            found.append(claim.id)
        return found

    def finish(self, job_id: str, *, error: float = 0.25, flow: bool = True, known: bool = True) -> None:
        claim = self.claims.pop(job_id)
        document, arrays = made_up(job_id, error, flow)
        self.store.run(results.upload(job_id, claim.fence, encode(document), arrays))
        self.store.run(leases.finish(job_id, claim.fence, document["outcome"], known))

    def fail(self, job_id: str, code: str = "internal") -> None:
        claim = self.claims.pop(job_id)
        self.store.run(leases.fail(job_id, claim.fence, JobError(code=code, detail="It broke.", advice="Mend it.")))

    def compute(self, count: int = 1, **options: Any) -> list[str]:
        """Claims and finishes."""
        ids = self.claim(count)
        for job_id in ids:
            self.finish(job_id, **options)
        return ids


@pytest.fixture
def worker(store: Store) -> StandIn:
    """Whoever claims and finishes."""
    return StandIn(store)


def made_up(job_id: str, error: float, flow: bool) -> tuple[Json, dict[str, np.ndarray[Any, Any]]]:
    """A result document of the right form, and arrays. The timing differs from call to call, as it does in life."""
    generator = np.random.default_rng(7)
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "X": generator.normal(size=(4, 12)),
        "y": generator.normal(size=4),
        "w_implicit": generator.normal(size=12),
    }
    report = None
    if flow:
        arrays |= {
            "w_flow": generator.normal(size=12),
            "time": np.geomspace(1e-2, 1e3, 6),
            "train_loss": np.geomspace(1.0, 1e-20, 6),
            "distance_implicit": np.geomspace(1.0, 1e-9, 6),
            "w_trajectory": generator.normal(size=(6, 3)),
            "coordinate_index": np.array([0, 4, 7]),
        }
        report = FlowReport(outcome="converged", stopped_by="relative_residual", independent=True, integrator="radau",
                            time=123.5, steps=77, train_loss=1e-22, relative_residual=1e-11, population_error=error,
                            test_error=error + 0.01, invariant_drift=1e-12, seconds=time.monotonic())  # fmt: skip
    fit = FitReport(regularizer="implicit", outcome="converged", exactness="exact", relative_residual=1e-15,
                    kkt_residual=3e-14, value=1.5, population_error=error + 1e-9, test_error=0.5)  # fmt: skip
    comparison = ComparisonReport(regularizer="implicit", relative_distance=2e-9, cosine_distance=1e-17,
                                  kkt_residual=1e-9, excess_value=1e-12)  # fmt: skip
    result = Result(
        id=job_id,
        outcome="converged",
        advice=None,
        flow=report,
        fits=(fit,),
        comparisons=(comparison,) if flow else (),
        regime=Regime(label="rich", distance_to_l1=0.01, distance_to_l2=0.9, distance_to_kernel=0.8, of="flow"),
        citations=("a paper",),
        provenance=Provenance(numerics_version="1", versions={}, device="cpu", dtype="float64", host="here"),
        arrays={name: {"shape": a.shape, "dtype": str(a.dtype)} for name, a in arrays.items()},
    )
    return result.model_dump(mode="json"), arrays
