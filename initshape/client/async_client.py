"""`Client` for asyncio: the same calls (calls.py), awaited. What they do is said there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from numpy.typing import ArrayLike

from initshape.client import calls
from initshape.client.arrays import Arrays, from_npz
from initshape.client.call import Call
from initshape.client.calls import Document, Json
from initshape.client.follow import LONG_POLL, follow
from initshape.client.http import AsyncHttp
from initshape.client.job import Job, ResultDocument
from initshape.client.meter import Meter
from initshape.client.table import Table


class AsyncClient:
    """The methods of `Client` as coroutines; `updates`, `experiments` and `sweeps` are asynchronous iterators.

    async with AsyncClient("http://127.0.0.1:8000", token) as client:
        jobs = await asyncio.gather(*map(client.submit, documents))
        await asyncio.gather(*(client.wait(job.id) for job in jobs))
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: float = 10.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = AsyncHttp(self.url, token, patience=patience, transport=transport)

    async def submit(self, document: Document, *, key: str | None = None) -> Job:
        """See `Client.submit`."""
        return await self._http.run(calls.submit("/v1/experiments", document, key))

    async def submit_many(self, documents: Iterable[Document], *, key: str | None = None) -> list[Json]:
        """See `Client.submit_many`."""
        return await self._http.run(calls.submit_many(documents, key))

    async def submit_sweep(self, document: Document, *, key: str | None = None) -> Job:
        """See `Client.submit_sweep`."""
        return await self._http.run(calls.submit("/v1/sweeps", document, key))

    async def upload(self, file: Path | str, *, init: bool = False, label: str | None = None) -> str:
        """See `Client.upload`."""
        return await self._http.run(calls.upload(file, init, label))

    async def upload_dataset(self, **arrays: ArrayLike) -> str:
        """See `Client.upload_dataset`."""
        return await self._http.run(calls.upload_arrays(arrays, init=False))

    async def upload_init(self, **arrays: ArrayLike) -> str:
        """See `Client.upload_init`."""
        return await self._http.run(calls.upload_arrays(arrays, init=True))

    async def uploaded(self, id: str) -> Json:
        """See `Client.uploaded`."""
        return await self._http.run(calls.uploaded(id))

    async def uploaded_arrays(self, id: str) -> Arrays:
        """The arrays of an upload by name, fetched now."""
        return await self._arrays(calls.uploaded_arrays(id))

    async def delete_upload(self, id: str, *, force: bool = False) -> Json:
        """See `Client.delete_upload`."""
        return await self._http.run(calls.delete_upload(id, force))

    async def validate(self, document: Document) -> Json:
        """See `Client.validate`."""
        return await self._http.run(calls.validate(document))

    async def preview(self, document: Document) -> Json:
        """See `Client.preview`."""
        return await self._http.run(calls.preview(document))

    async def status(self, id: str, *, wait: float = 0.0) -> Job:
        """See `Client.status`."""
        return await self._http.run(calls.status(id, wait))

    async def edit(self, id: str, *, force: bool = False, **changes: Any) -> Job:
        """See `Client.edit`."""
        return await self._http.run(calls.edit(id, force, changes))

    def updates(self, id: str, *, every: float = 1.0, timeout: float | None = None) -> AsyncIterator[Job]:
        """See `Client.updates`."""
        return self._http.told(follow(id, every, timeout))

    async def wait(self, id: str, *, timeout: float | None = None, progress: bool = False) -> Job:
        """See `Client.wait`."""
        with Meter.of(id, progress) as meter:
            async for state in self.updates(id, every=LONG_POLL, timeout=timeout):
                meter.show(state)
        return state

    async def result(self, id: str) -> ResultDocument:
        """See `Client.result`."""
        return await self._http.run(calls.result(id))

    async def arrays(self, id: str) -> Arrays:
        """The arrays of a result by name, fetched now; each is decoded at the first look and kept."""
        return await self._arrays(calls.arrays(id))

    async def dataset(self, id: str) -> Arrays:
        """The data of an experiment that has a result, fetched now. See `Client.dataset`."""
        return await self._arrays(calls.dataset(id))

    async def table(self, sweep_id: str) -> Table:
        """See `Client.table`."""
        return await self._http.run(calls.table(sweep_id))

    async def table_csv(self, sweep_id: str) -> bytes:
        """See `Client.table_csv`."""
        return await self._http.run(calls.table_csv(sweep_id))

    async def figure(self, id: str, kind: str | None = None, form: str = "png") -> bytes:
        """See `Client.figure`."""
        return await self._http.run(calls.figure(id, kind, form))

    def experiments(
        self, *, limit: int = 20, where: Mapping[str, Any] | None = None, **filters: Any
    ) -> AsyncIterator[Job]:
        """See `Client.experiments`."""
        return self._http.told(calls.experiments(limit, where, filters))

    def sweeps(self, *, limit: int = 20, **filters: Any) -> AsyncIterator[Job]:
        """See `Client.sweeps`."""
        return self._http.told(calls.sweeps(limit, filters))

    async def cancel(self, id: str, *, force: bool = False) -> Json:
        """See `Client.cancel`."""
        return await self._http.run(calls.cancel(id, force))

    async def rerun(self, id: str) -> Job:
        """See `Client.rerun`."""
        return await self._http.run(calls.rerun(id))

    async def retry(self, sweep_id: str) -> Job:
        """See `Client.retry`."""
        return await self._http.run(calls.retry(sweep_id))

    async def delete(self, id: str, *, force: bool = False) -> Json:
        """See `Client.delete`."""
        return await self._http.run(calls.delete(id, force))

    async def catalog(self) -> Json:
        """See `Client.catalog`."""
        return await self._http.run(calls.catalog())

    async def presets(self) -> Json:
        """See `Client.presets`."""
        return await self._http.run(calls.presets())

    async def evaluate(self, document: Document) -> Json:
        """See `Client.evaluate`."""
        return await self._http.run(calls.evaluate(document))

    async def draw(self, document: Document, form: str = "png") -> bytes:
        """See `Client.draw`."""
        return await self._http.run(calls.draw(document, form))

    async def me(self) -> Json:
        """See `Client.me`."""
        return await self._http.run(calls.me())

    async def create_token(
        self, user: str, *, role: str = "member", label: str = "", expires_seconds: int | None = None
    ) -> Json:
        """See `Client.create_token`."""
        return await self._http.run(calls.create_token(user, role, label, expires_seconds))

    async def tokens(self) -> list[Json]:
        """See `Client.tokens`."""
        return await self._http.run(calls.tokens())

    async def revoke_token(self, token_id: str) -> None:
        """See `Client.revoke_token`."""
        await self._http.run(calls.revoke_token(token_id))

    def audit(self, *, limit: int = 20, **filters: str) -> AsyncIterator[Json]:
        """See `Client.audit`."""
        return self._http.told(calls.audit(limit, filters))

    async def webhook_secret(self) -> str:
        """See `Client.webhook_secret`."""
        return await self._http.run(calls.webhook_secret())

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _arrays(self, call: Call[bytes]) -> Arrays:
        found = await self._http.run(call)
        return Arrays(lambda: from_npz(found))

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"
