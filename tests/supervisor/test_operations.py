"""A server as its operator sees it: logs that follow a job, doctor, a backup under load, the copy started elsewhere."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from serving import command, environment, serving, wait_for

from initshape.store import Store
from initshape.store.keys import FORMAT, FORMAT_NUMBER
from initshape.store.nearby import settings_of
from initshape.store.server import RedisServer
from initshape.supervisor.place import Place

Json = dict[str, Any]

EXPERIMENT = {
    "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2},
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.5},
    "flow": {"kind": "none"},
}
CELLS = 400


def initshape(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(data_dir), text=True, capture_output=True, timeout=120, check=False
    )


def client(data_dir: Path) -> httpx2.Client:
    place = Place(data_dir)
    running = place.announced()
    assert running is not None
    headers = {"Authorization": f"Bearer {place.read_token()}"}
    return httpx2.Client(base_url=running.url, headers=headers, timeout=70, trust_env=False)


def lines(data_dir: Path, name: str) -> list[Json]:
    """Every line of a log is one JSON object."""
    return [json.loads(line) for line in Place(data_dir).log(name).read_text().splitlines()]


def told_by_the_api(data_dir: Path) -> list[str]:
    """The jobs in its lines about one request."""
    return [line["job"] for line in lines(data_dir, "api") if line.get("request") == "follow-me"]


def results(api: httpx2.Client, ids: list[str]) -> dict[str, tuple[str, bytes, bytes]]:
    """Entity tag, document and arrays of what has succeeded."""
    found = {}
    for job_id in ids:
        answer = api.get(f"/v1/experiments/{job_id}/result")
        if answer.status_code == 200:
            arrays = api.get(f"/v1/experiments/{job_id}/arrays.npz")
            found[job_id] = (answer.headers["etag"], answer.content, arrays.content)
    return found


def test_a_server_and_its_copy(tmp_path: Path) -> None:
    data_dir, other = tmp_path / "data", tmp_path / "elsewhere" / "data"
    with serving(data_dir, "--workers", "1"), client(data_dir) as api:
        asked = {"X-Request-ID": "follow-me"}
        job_id = api.post("/v1/experiments?wait=60", json={"experiment": EXPERIMENT}, headers=asked).json()["id"]
        # one grep finds the request, the claim and the end
        wait_for(lambda: "ended: converged" in Place(data_dir).log("worker 1").read_text(), 30)
        told = [line["message"] for line in lines(data_dir, "worker 1") if line.get("request") == "follow-me"]
        assert told == ["claimed", "ended: converged, accepted"]
        wait_for(lambda: told_by_the_api(data_dir) == [job_id], 5)  # its line follows the answer
        for name in ("api", "worker 1"):
            (first,) = (line for line in lines(data_dir, name) if line["message"] == "settings")
            assert first["settings"]["redis_url"].startswith("redis://127.0.0.1:")
            (opened,) = (line for line in lines(data_dir, name) if line["message"] == "the store is open")
            assert opened["format"] == FORMAT_NUMBER

        doctor = initshape(data_dir, "doctor", "--data-dir", str(data_dir), "--json")
        assert doctor.returncode == 0, doctor.stdout
        found = {finding["name"]: finding for finding in json.loads(doctor.stdout)}
        assert {found[name]["state"] for name in ("redis", "persistence", "format", "workers", "api", "lock")} == {"ok"}
        metrics = api.get("/metrics").text
        assert 'initshape_job_seconds_count{device="cpu",model="diagonal"} 1.0' in metrics
        assert 'initshape_fits_total{outcome="converged",regularizer="implicit"} 1.0' in metrics

        axes = [{"path": "init.scale", "logspace": [-4.0, 0.0, CELLS]}]
        sweep = {"sweep": {"base": EXPERIMENT, "axes": axes}, "name": "load"}
        sweep_id = api.post("/v1/sweeps", json=sweep).json()["id"]
        made = initshape(data_dir, "backup", str(tmp_path / "backup"), "--data-dir", str(data_dir))
        assert made.returncode == 0, made.stderr
        counts = api.get(f"/v1/sweeps/{sweep_id}?wait=60").json()["counts"]
        assert counts["succeeded"] == CELLS
        cells = [row["id"] for row in api.get(f"/v1/sweeps/{sweep_id}/table.json").json()["rows"]]
        before = results(api, [job_id, *cells[:40]])
        assert len(before) == 41
        refused = initshape(data_dir, "restore", str(tmp_path / "backup"), "--data-dir", str(data_dir), "--force")
        assert (refused.returncode, "A server uses" in refused.stderr) == (2, True)
        settings = settings_of(data_dir)
        assert settings is not None
        secrets = (str(settings.password), str(Place(data_dir).read_token()))

    restored = initshape(other, "restore", str(tmp_path / "backup"), "--data-dir", str(other))
    assert restored.returncode == 0, restored.stderr
    with serving(other, "--workers", "1"), client(other) as api:  # with the token of the first server
        after = results(api, [job_id, *cells[:40]])
        assert after[job_id] == before[job_id]
        assert all(after[name] == before[name] for name in after)  # what had ended at that moment is the same
        counts = api.get(f"/v1/sweeps/{sweep_id}?wait=60").json()["counts"]
        assert counts["succeeded"] == CELLS  # and the rest is computed here
    for folder in (data_dir, other):
        for path in (folder / "logs").iterdir():
            text = path.read_text()
            assert text
            assert not [secret for secret in secrets if secret in text]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda client: client.config_set("appendonly", "no"), "set appendonly yes"),
        (lambda client: client.config_set("maxmemory-policy", "allkeys-lru"), "set maxmemory-policy noeviction"),
        (lambda client: client.set(FORMAT, FORMAT_NUMBER + 1), "newer one"),
    ],
)
def test_a_store_that_is_not_fit_is_refused(own_server: RedisServer, tmp_path: Path, spoil: Any, words: str) -> None:
    store = Store(own_server.settings)
    spoil(store.client)
    variables = environment(tmp_path / "data") | own_server.environment()
    done = subprocess.run(
        command("serve", "--port", "0", "--data-dir", str(tmp_path / "data")),
        env=variables, text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert store.client.keys("*token*") == []
    store.close()
