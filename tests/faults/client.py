"""One user's HTTP client that writes every exchange into the journal, accepted ones before anything else happens."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.faults.journal import Journal
from tests.sameness import EFFORT

LONGEST_SECONDS = 30.0
PAUSE_SECONDS = 0.5
GIVEN_UP_SECONDS = 300.0


@dataclass(frozen=True)
class Reply:
    """`status` 0: there was no answer."""

    status: int
    body: Any
    sent: float
    took: float


class Client:
    """Not for two threads at once."""

    def __init__(self, url: str, token: str, user: str, journal: Journal) -> None:
        self._http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=LONGEST_SECONDS, trust_env=False
        )
        self._user = user
        self._journal = journal

    def close(self) -> None:
        """Its connections."""
        self._http.close()

    def ask(self, what: str, id: str, method: str, path: str, wait: float = 0.0, **options: Any) -> Reply:
        """One exchange."""
        sent, began = time.time(), time.monotonic()
        more: dict[str, Any] = {}
        try:
            answer = self._http.request(method, path, **options)
        except httpx2.HTTPError as error:
            reply = Reply(0, None, sent, time.monotonic() - began)
            more["error"] = type(error).__name__
        else:
            reply = Reply(answer.status_code, _decoded(answer), sent, time.monotonic() - began)
            more |= _notable(what, answer, reply)
        self._journal.write(
            "request", urgent=bool(more.get("accepted")), user=self._user, what=what, id=more.pop("id", id), sent=sent,
            took=round(reply.took, 4), wait=wait, status=reply.status, **more,
        )  # fmt: skip
        return reply

    def insist(self, ask: Callable[[], Reply]) -> Reply:
        """Asks again while the service is away or says 503. Raises TimeoutError after minutes of that."""
        end = time.monotonic() + GIVEN_UP_SECONDS
        while True:
            reply = ask()
            if reply.status not in (0, 503):
                return reply
            if time.monotonic() > end:
                raise TimeoutError(f"no answer for {GIVEN_UP_SECONDS:g} s")
            time.sleep(PAUSE_SECONDS)


def numbers_of(document: dict[str, Any]) -> str:
    """Digest of a result, without what says how much work it was and where it was done."""
    return hashlib.sha256(json.dumps(_what_came_out(document), sort_keys=True).encode()).hexdigest()[:16]


def _what_came_out(value: Any, place: str = "") -> Any:
    if isinstance(value, dict):
        left_out = EFFORT | {"provenance"} | ({"iterations"} if place.startswith("/fits") else set())
        return {name: _what_came_out(v, f"{place}/{name}") for name, v in value.items() if name not in left_out}
    if isinstance(value, list):
        return [_what_came_out(v, f"{place}/{k}") for k, v in enumerate(value)]
    return value


def _decoded(answer: httpx2.Response) -> Any:
    kind = answer.headers.get("content-type", "")
    try:
        if kind.startswith("application/jsonl"):
            return [json.loads(line) for line in answer.text.splitlines() if line]
        return answer.json() if "json" in kind else None
    except ValueError:
        return None


def _notable(what: str, answer: httpx2.Response, reply: Reply) -> dict[str, Any]:
    """What the checks want to know of an answer."""
    body = reply.body if isinstance(reply.body, dict) else {}
    if answer.status_code >= 400:
        return {
            "type": body.get("type"),
            "retry_after": answer.headers.get("retry-after"),
            "detail": body.get("detail"),
        }
    if what in ("submit", "rerun"):
        return {"accepted": True, "id": body["id"], "state": body["status"]}
    if what == "batch":
        lines = [line["body"] for line in reply.body if line["body"] is not None]
        ids, states = [line["id"] for line in lines], [line["status"] for line in lines]
        return {"accepted": True, "ids": ids, "states": states, "refused": len(reply.body) - len(lines)}
    if what == "read":
        attempt = body["provenance"]["attempt"]
        return {"etag": answer.headers.get("etag"), "attempt": attempt, "numbers": numbers_of(body)}
    if what in ("cancel", "delete", "look"):
        return {"state": body.get("status"), "answer": body.get("answer"), "attempt": body.get("attempt")}
    return {}
