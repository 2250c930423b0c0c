"""A reader: figures, arrays, tables, event streams, the catalog; what a browser and a notebook ask for all day."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import httpx2

from tests.faults.experiments import document

CELLS = [0.003, 0.01, 0.03]


class Visitor:
    """Asks until `stop`; `answers` counts statuses by what was asked."""

    def __init__(self, url: str, token: str, seed: int, pause: float, stop: threading.Event) -> None:
        self._http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0, trust_env=False
        )
        self._chance = random.Random(seed)
        self._pause = pause
        self._stop = stop
        self.answers: Counter[tuple[str, int]] = Counter()

    def run(self) -> None:
        """Sweeps are few and the same again and again, so that what is stored stays bounded."""
        with self._http:
            while not self._stop.is_set():
                what, method, path, body = self._choose()
                try:
                    answer = self._http.request(method, path, **({"json": body} if body else {}))
                    self.answers[what, answer.status_code] += 1
                except httpx2.HTTPError:
                    self.answers[what, 0] += 1
                time.sleep(self._chance.expovariate(1.0 / self._pause))

    def _choose(self) -> tuple[str, str, str, object]:
        listed = self._http.get("/v1/experiments?status=succeeded&limit=30").json().get("items", [])
        sweeps = self._http.get("/v1/sweeps?limit=10").json().get("items", [])
        chosen = self._chance.choice(listed)["id"] if listed else None
        asks: list[tuple[str, str, str, object]] = [
            ("catalog", "GET", "/v1/catalog", None),
            ("sweep", "POST", "/v1/sweeps?wait=5", _sweep(self._chance.randrange(3))),
            ("metrics", "GET", "/health/ready", None),
        ]
        if chosen:
            own = f"/v1/experiments/{chosen}"
            kind = self._chance.choice(["png", "svg", "svg"])
            asks += [
                ("figure", "GET", f"{own}/figure.{kind}", None),
                ("figure", "GET", f"{own}/figure.svg", None),
                ("arrays", "GET", f"{own}/arrays.npz", None),
                ("events", "GET", f"{own}/events?seconds=1", None),
                ("look", "GET", f"{own}?wait=1", None),
            ]
        if sweeps:
            asks.append(("table", "GET", f"/v1/sweeps/{self._chance.choice(sweeps)['id']}/table.json", None))
        return self._chance.choice(asks)


def _sweep(number: int) -> object:
    base = document(900 + number, "flow")["experiment"]
    return {"sweep": {"base": base, "axes": [{"path": "init.scale", "values": CELLS}]}}
