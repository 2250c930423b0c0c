"""What one client does: submits, looks, reads, cancels, runs again, deletes, as its seed says, until told to stop."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.faults.client import Client, Reply
from tests.faults.experiments import document
from tests.faults.journal import Journal

TERMINAL = ("succeeded", "failed", "cancelled")
FOLLOW_SECONDS = 10.0
SHARED_NUMBERS = 1_000_000


@dataclass(frozen=True)
class Habits:
    """How a client behaves.

    `width` jobs are outstanding at most; `kinds` and `deeds` are relative frequencies; `batch` experiments are sent at
    once where a deed is `batch`; `shared` experiments are everybody's. With `repertoire`, so many of its own are run
    again and again; else all are new.
    """

    width: int
    kinds: Mapping[str, float]
    deeds: Mapping[str, float]
    batch: int = 20
    repertoire: int = 0
    shared: int = 50
    pause: float = 0.0


@dataclass
class Stock:
    """How many experiments may still be submitted, by all clients together."""

    left: float
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, count: int) -> int:
        """As many of `count` as there are."""
        with self.lock:
            taken = int(min(count, self.left))
            self.left -= taken
            return taken


class Customer:
    """Client number `number`. Its own experiments have numbers that nobody else uses; `shared` ones are everybody's."""

    def __init__(
        self,
        number: int,
        seed: int,
        client: Client,
        journal: Journal,
        habits: Habits,
        stock: Stock,
        stop: threading.Event,
    ) -> None:
        self._client = client
        self._journal = journal
        self._habits = habits
        self._stock = stock
        self._stop = stop
        self._chance = random.Random(f"customer {seed} {number}")
        self._next = (number + 1) * 10_000_000
        self._first = self._next
        self._outstanding: dict[str, tuple[int, str]] = {}
        self._finished: dict[str, tuple[int, str]] = {}
        self._shared: set[str] = set()

    def run(self) -> None:
        """Until `stop` or the stock is empty, and then until everything outstanding has ended."""
        deeds: dict[str, Callable[[], None]] = {
            "submit": self._submit, "share": self._share, "batch": self._batch, "look": self._look, "read": self._read,
            "cancel": self._cancel, "rerun": self._rerun, "delete": self._delete, "list": self._list,
        }  # fmt: skip
        names, weights = list(self._habits.deeds), list(self._habits.deeds.values())
        while not self._stop.is_set() and self._stock.left > 0:
            deed = self._chance.choices(names, weights)[0]
            if deed in ("submit", "share", "batch", "rerun") and len(self._outstanding) >= self._habits.width:
                self._settle_one(FOLLOW_SECONDS)
            else:
                deeds[deed]()
            if self._habits.pause:
                time.sleep(self._chance.expovariate(1.0 / self._habits.pause))
        while self._outstanding:
            self._settle_one(FOLLOW_SECONDS)
        for id in list(self._finished):
            self._read_result(id)

    def _submit(self) -> None:
        if self._stock.take(1):
            self._send(*self._new())

    def _share(self) -> None:
        """One of few that others submit too: equal submissions join, or are known."""
        if self._stock.take(1):
            id = self._send(SHARED_NUMBERS + self._chance.randrange(self._habits.shared), "fit")
            self._shared.add(id)

    def _batch(self) -> None:
        chosen = [self._new() for _ in range(self._stock.take(self._habits.batch))]
        if not chosen:
            return
        body = "".join(json.dumps(document(number, kind)) + "\n" for number, kind in chosen)
        headers = {"Content-Type": "application/jsonl"}
        reply = self._client.insist(
            lambda: self._client.ask("batch", "", "POST", "/v1/batch", content=body, headers=headers)
        )
        assert reply.status == 200, reply
        for (number, kind), line in zip(chosen, reply.body, strict=True):
            if line["body"] is not None:
                self._outstanding[line["body"]["id"]] = (number, kind)
            else:  # a line that met an outage is sent by itself
                self._send(number, kind)

    def _look(self) -> None:
        if self._outstanding:
            id = self._chance.choice(list(self._outstanding))
            self._note(id, self._state(id))

    def _read(self) -> None:
        if self._finished:
            self._read_result(self._chance.choice(list(self._finished)))

    def _list(self) -> None:
        self._client.insist(lambda: self._client.ask("list", "", "GET", "/v1/experiments?limit=20"))

    def _cancel(self) -> None:
        """Follows the job to its end; then mostly wants it after all."""
        own = [id for id in self._outstanding if id not in self._shared]
        if not own:
            return
        id = self._chance.choice([own[0], *own])  # the oldest is the likeliest to run
        path = f"/v1/experiments/{id}/cancel"
        reply = self._client.insist(lambda: self._client.ask("cancel", id, "POST", path))
        if reply.status == 200 and reply.body["answer"] == "stopped":
            self._follow_cancel(id, reply)
        if reply.status == 200 and self._chance.random() < 0.7:
            self._send(*self._outstanding[id])
        else:
            self._outstanding.pop(id)

    def _follow_cancel(self, id: str, reply: Reply) -> None:
        before, status, began = reply.body["status"], reply.body["status"], time.monotonic() - reply.took
        while status not in TERMINAL:
            answer = self._client.insist(lambda: self._state(id, FOLLOW_SECONDS))
            status = answer.body["status"] if answer.status == 200 else "cancelled"
        took = round(time.monotonic() - began, 4)
        self._journal.write("cancel", id=id, sent=reply.sent, took=took, before=before, state=status)

    def _rerun(self) -> None:
        own = [id for id in self._finished if id not in self._shared]
        if not own:
            return
        id = self._chance.choice(own)
        path = f"/v1/experiments/{id}/rerun"
        reply = self._client.insist(lambda: self._client.ask("rerun", id, "POST", path))
        if reply.status == 202:
            self._outstanding[id] = self._finished.pop(id)

    def _delete(self) -> None:
        own = [id for id in (*self._outstanding, *self._finished) if id not in self._shared]
        if not own:
            return
        id = self._chance.choice(own)
        self._client.insist(lambda: self._client.ask("delete", id, "DELETE", f"/v1/experiments/{id}"))
        self._outstanding.pop(id, None)
        self._finished.pop(id, None)

    def _new(self) -> tuple[int, str]:
        kinds = self._habits.kinds
        number, self._next = self._next, self._next + 1
        kind = self._chance.choices(list(kinds), list(kinds.values()))[0]
        if not self._habits.repertoire:
            return number, kind
        place = self._first + self._chance.randrange(self._habits.repertoire)
        return place, list(kinds)[place % len(kinds)]

    def _send(self, number: int, kind: str) -> str:
        body = document(number, kind)
        reply = self._client.insist(lambda: self._client.ask("submit", "", "POST", "/v1/experiments", json=body))
        assert reply.status in (200, 202), reply
        id: str = reply.body["id"]
        self._finished.pop(id, None)
        self._outstanding[id] = (number, kind)
        return id

    def _state(self, id: str, wait: float = 0.0) -> Reply:
        return self._client.ask("look", id, "GET", f"/v1/experiments/{id}", wait, params={"wait": wait} if wait else {})

    def _settle_one(self, seconds: float) -> None:
        """Waits for the oldest one. What failed because it was hit three times is sent again."""
        id = next(iter(self._outstanding))
        self._note(id, self._client.insist(lambda: self._state(id, seconds)))

    def _note(self, id: str, reply: Reply) -> None:
        if reply.status == 404:
            self._outstanding.pop(id)  # the checks know whether that may be
        elif reply.status == 200 and reply.body["status"] in TERMINAL:
            own = self._outstanding.pop(id)
            if reply.body["status"] == "succeeded":
                self._finished[id] = own
            elif reply.body["status"] == "failed" and reply.body["error"]["code"] == "lost":
                self._send(*own)

    def _read_result(self, id: str) -> None:
        self._client.insist(lambda: self._client.ask("read", id, "GET", f"/v1/experiments/{id}/result"))
