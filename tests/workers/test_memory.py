"""Jobs that need too much memory fail with `out_of_memory` and their sizes; nothing else is harmed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from initshape.spec.problem import JobError
from initshape.spec.status import Status
from initshape.store import Store, jobs, leases
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.records import JobRecord
from tests.workers.factory import Factory, at_work, experiment, until
from workers.backstop import Backstop, child_name

CGROUP = Path("/sys/fs/cgroup/memory")
MEBI = 2**20
TAKE = "x = bytearray({size})\nprint(flush=True)\nimport time; time.sleep(100)"


def claimed(store: Store, pid: int) -> None:
    """A job that a child is at, and one that waits in it for its turn."""
    document = {"dataset": {"kind": "sparse_regression", "dimension": 77, "samples": 33}}
    for k in range(4):
        store.run(jobs.submit(JobRequest(f"x-{k}", document, batch="one"), Submitter("ann")))
    assert len(store.run(leases.claim(child_name("w", pid), "cpu", 2))) == 2


def read(store: Store, job_id: str) -> JobRecord:
    record = store.run(jobs.read(job_id))
    assert record is not None
    return record


def error_of(store: Store, job_id: str) -> JobError:
    record = read(store, job_id)
    assert record.status is Status.failed
    assert record.error is not None
    return record.error


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds 200 MiB."""
    process = subprocess.Popen([sys.executable, "-c", TAKE.format(size=200 * MEBI)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_child_that_holds_too_much_is_ended(
    store: Store, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that it is at fails, what waits behind it goes back. A little more room, and nothing happens."""
    for margin in ("HEADROOM", "SLACK"):
        monkeypatch.setattr(f"workers.backstop.{margin}", 0)
    claimed(store, child.pid)
    monkeypatch.setenv("INITSHAPE_MAX_JOB_MEMORY", str(400 * MEBI))
    Backstop(store, "w").tick()
    assert read(store, "x-0").status is Status.running
    monkeypatch.setenv("INITSHAPE_MAX_JOB_MEMORY", str(100 * MEBI))
    Backstop(store, "w").tick()
    assert child.wait(10) != 0
    error = error_of(store, "x-0")
    assert error.code == "out_of_memory"
    assert "dimension 77" in error.detail
    assert "0.10 GiB" in error.detail
    assert [attempt.how for attempt in read(store, "x-1").attempts] == ["returned"]
    assert read(store, "x-1").status is Status.queued


@pytest.fixture
def cell() -> Iterator[Path]:
    """A control group of 64 MiB; the kernel kills what takes more in it."""
    place = CGROUP / "initshape-test"
    try:
        place.mkdir()
        (place / "memory.limit_in_bytes").write_text(str(64 * MEBI))
    except OSError as error:
        pytest.skip(f"no control group of one's own here: {error}")
    yield place
    until(lambda: not (place / "cgroup.procs").read_text())
    place.rmdir()


class Enclosed:
    """A process in a control group, which takes more than there is when it is told to."""

    def __init__(self, cell: Path) -> None:
        code = f"open('{cell}/cgroup.procs', 'w').write('0')\ninput()\n" + TAKE.format(size=200 * MEBI)
        self.process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        until(lambda: (cell / "cgroup.procs").read_text() == f"{self.process.pid}\n")

    def die(self) -> None:
        self.process.communicate(b"\n", timeout=30)


def test_a_child_that_the_kernel_kills_for_memory(store: Store, cell: Path) -> None:
    backstop, enclosed = Backstop(store, "w"), Enclosed(cell)
    claimed(store, enclosed.process.pid)
    backstop.tick()
    assert read(store, "x-0").status is Status.running
    enclosed.die()
    backstop.tick()
    assert error_of(store, "x-0").code == "out_of_memory"
    assert read(store, "x-1").status is Status.queued


def test_the_end_of_a_stranger_says_nothing_of_a_child(
    store: Store, cell: Path, child: subprocess.Popen[bytes]
) -> None:
    """The kernel kills in another group, just when somebody kills the child."""
    backstop, enclosed = Backstop(store, "w"), Enclosed(cell)
    claimed(store, child.pid)
    backstop.tick()
    enclosed.die()
    child.kill()
    child.wait()
    backstop.tick()
    assert read(store, "x-0").status is Status.running  # until its lease expires


def test_a_child_that_somebody_else_kills_is_lost_and_not_out_of_memory(
    store: Store, child: subprocess.Popen[bytes]
) -> None:
    backstop = Backstop(store, "w")
    claimed(store, child.pid)
    child.kill()
    child.wait()
    backstop.tick()
    assert read(store, "x-0").status is Status.running  # until its lease expires


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A worker whose jobs may take 100 MiB, up and warm."""
    with at_work(tmp_path_factory.mktemp("factory"), INITSHAPE_MAX_JOB_MEMORY=str(100 * MEBI)) as factory:
        yield factory


def test_the_system_refuses_a_job_more_than_it_may_take(factory: Factory) -> None:
    """By numpy in a fit and by XLA in a flow: the job fails, the child lives and goes on with the next one."""
    before = factory.child()
    large = {"dimension": 60_000, "samples": 500, "regularizers": ["l2"]}
    flow = {"kind": "gradient_flow", "integrator": "tsit5"}
    requests = [experiment(seed=1, **large), experiment(seed=2, **large, flow=flow)]
    for request in requests:
        record = factory.ended(factory.submit(request))
        assert record.status is Status.failed
        assert record.error is not None
        assert record.error.code == "out_of_memory"
        assert "dimension 60000" in record.error.detail
        assert "samples 500" in record.error.detail
    factory.warm()
    assert factory.child() == before, factory.log()
