"""Delivers what lies in the outbox: at least once, so many times at most, each attempt bounded in time and bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx2

from initshape.store import AsyncStore, StoreError, sweeps, webhooks
from initshape.store.webhooks import Delivery
from service import views
from service.settings import Settings
from service.webhooks import signing
from service.webhooks.address import RefusedError, resolve

ATTEMPT_SECONDS: Final = 10.0
TICK_SECONDS: Final = 0.5
AT_ONCE: Final = 20
_NOT_YET_SECONDS: Final = 5.0

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Heard:
    """What came of an attempt: an HTTP status, or why there is none."""

    answer: int | None
    error: str | None

    @property
    def over(self) -> bool:
        """Delivered, or the receiver wants no more (410)."""
        return self.answer is not None and (self.answer // 100 == 2 or self.answer == HTTPStatus.GONE)


class Courier:
    """Takes from the outbox until it is cancelled. What was under way then is due again after its lease."""

    def __init__(self, settings: Settings, store: AsyncStore) -> None:
        self._settings = settings
        self._store = store
        self._secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""

    async def run(self) -> None:
        """Does not end by itself."""
        agent = {"User-Agent": f"initshape/{version('initshape')}", "Content-Type": "application/json"}
        limits = httpx2.Limits(max_keepalive_connections=0)
        free = asyncio.Semaphore(AT_ONCE)
        async with (
            httpx2.AsyncClient(headers=agent, trust_env=False, follow_redirects=False, limits=limits) as client,
            asyncio.TaskGroup() as under_way,
        ):
            while True:
                await free.acquire()  # a slow receiver takes one place, and the others go on
                due = await self._guarded(self._store.run(webhooks.take(1)))
                if due:
                    task = under_way.create_task(self._guarded(self._deliver(client, due[0])))
                    task.add_done_callback(lambda _: free.release())
                else:
                    free.release()
                    await asyncio.sleep(TICK_SECONDS)

    @staticmethod
    async def _guarded(work: Coroutine[Any, Any, T]) -> T | None:
        """The answer, or None where it failed: what has not been reported is due again after its lease."""
        try:
            return await work
        except StoreError as error:
            log.warning("webhooks wait for the store: %s", error)
        except Exception:
            log.exception("a delivery failed; the courier goes on")
        return None

    async def _deliver(self, client: httpx2.AsyncClient, delivery: Delivery) -> None:
        data = await self._data(delivery)
        if data is None:
            await self._store.run(webhooks.postpone(delivery, _NOT_YET_SECONDS))
            return
        kind = "sweep" if delivery.subject.startswith("s-") else "experiment"
        at = datetime.fromtimestamp(delivery.at / 1000, UTC)
        event = {"type": f"{kind}.ended", "timestamp": at.isoformat(), "data": data}
        body = json.dumps(event, allow_nan=False).encode()
        heard = await self._post(client, delivery, body)
        parts = urlsplit(delivery.url)
        await self._store.run(
            webhooks.report(
                delivery, target=f"{parts.scheme}://{parts.netloc}", now=int(time.time() * 1000), answer=heard.answer,
                error=heard.error, over=heard.over,
            )
        )  # fmt: skip

    async def _data(self, delivery: Delivery) -> dict[str, Any] | None:
        """What is told; None where cells of a sweep run again."""
        if not delivery.subject.startswith("s-"):
            links = views.experiment_links(delivery.subject)
            return {"id": delivery.subject, "status": delivery.status, "attempt": delivery.attempt,
                    "outcome": delivery.outcome, "links": links}  # fmt: skip
        counts = await self._store.run(sweeps.counts(delivery.subject))
        if counts is None:
            return {"id": delivery.subject, "status": "deleted"}
        if not counts.status.terminal:
            return None
        return {"id": delivery.subject, "status": counts.status.value, "links": views.sweep_links(delivery.subject),
                "counts": views.count_view(counts).model_dump()}  # fmt: skip

    async def _post(self, client: httpx2.AsyncClient, delivery: Delivery, body: bytes) -> Heard:
        parts = urlsplit(delivery.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        key = signing.user_key(self._secret, delivery.user)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                *others, last = await resolve(host, port, self._settings.webhook_private)
                headers = signing.headers(key, f"msg_{delivery.number}", int(time.time()), body) | {
                    "Host": parts.netloc
                }
                for address in (*others, last):
                    place = f"[{address}]" if ":" in address else address
                    url = urlunsplit(parts._replace(netloc=f"{place}:{port}"))
                    try:
                        return await _send(client, url, host, headers, body)
                    except httpx2.ConnectError:
                        if address == last:
                            raise
        except TimeoutError:
            return Heard(None, f"no answer within {ATTEMPT_SECONDS:g} s")
        except RefusedError as error:
            return Heard(None, str(error))
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as error:
            return Heard(None, type(error).__name__)
        return Heard(None, "the host has no address")


async def _send(client: httpx2.AsyncClient, url: str, host: str, headers: dict[str, str], body: bytes) -> Heard:
    """To a checked address, under the name that the certificate has to bear. The body of the answer is never read."""
    async with client.stream(
        "POST", url, content=body, headers=headers, extensions={"sni_hostname": host}, timeout=ATTEMPT_SECONDS
    ) as answer:
        return Heard(answer.status_code, None if answer.is_success else f"answered {answer.status_code}")
