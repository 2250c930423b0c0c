"""Property-based requests from the OpenAPI document: no 5xx, no undocumented answer, wrong requests refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from initshape.store import Queue, Store, leases, presence, tokens
from initshape.store.tokens import Role

WITH_BODY = ("submit_experiment", "validate_experiment", "submit_sweep", "preview_sweep", "evaluate_regularizer",
             "draw_regularizer", "upload_dataset", "upload_init", "edit_experiment", "edit_sweep")  # fmt: skip
# A document that breaks the schema by its length may be refused for its length.
CONFIG = "[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 405, 413, 415, 422]\n"
# It cannot write JSON lines: test_batch_submission.py sends malformed ones.
EXCLUDED = ("--exclude-operation-id", "submit_batch")
# Rules between fields (sizes that must agree, labels that can be fitted) have no JSON Schema, so a document may satisfy
# the schema and be refused all the same.
CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")


@pytest.fixture
def target(store: Store, start: Callable[..., Any], worker: Any) -> Iterator[tuple[str, str]]:
    """Address and token of a server whose jobs are finished as soon as they are queued."""
    found = start(store.settings, longest_wait=0.1, stream_seconds=0.02)
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            store.run(presence.announce("w", Queue.cpu, 1, {}))
            for queue in Queue:
                for claim in store.run(leases.claim("w", queue.value, lease_seconds=60.0)):
                    worker.claims[claim.id] = claim
                    worker.finish(claim.id)

    store.run(presence.announce("w", Queue.cpu, 1, {}))
    thread = threading.Thread(target=work)
    thread.start()
    yield found.url, store.run(tokens.create("ada", Role.admin))
    stop.set()
    thread.join()


def run(target: tuple[str, str], folder: Path, *options: str, seconds: float = 280) -> None:
    url, token = target
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", config, "run", f"{url}/openapi.json", "--seed", "1", "--no-shrink",
               "-H", f"Authorization: Bearer {token}", "--continue-on-failure", *EXCLUDED, *CHECKS,
               *options]  # fmt: skip
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds)
    told = [line[:1000] for line in answer.stdout.splitlines() + answer.stderr.splitlines()]
    assert answer.returncode == 0, "\n".join(told)
    assert "Tested: " in answer.stdout


def test_boundaries_of_routes_without_body(target: tuple[str, str], tmp_path: Path) -> None:
    excluded = [option for name in WITH_BODY for option in ("--exclude-operation-id", name)]
    run(target, tmp_path, "--phases", "examples,coverage", *excluded)


def test_random_requests_and_sequences(target: tuple[str, str], tmp_path: Path) -> None:
    run(target, tmp_path, "--phases", "examples,fuzzing,stateful", "-n", "6")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_everything(target: tuple[str, str], tmp_path: Path) -> None:
    run(target, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "-n", "100", seconds=3500)
