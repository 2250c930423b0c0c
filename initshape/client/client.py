"""The client of an experiment server: documents are plain dicts as in submission files, answers the server's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from numpy.typing import ArrayLike

from initshape.client import calls
from initshape.client.arrays import Arrays, from_npz
from initshape.client.calls import Document, Json
from initshape.client.follow import LONG_POLL, follow
from initshape.client.http import Http
from initshape.client.job import Job, ResultDocument
from initshape.client.meter import Meter
from initshape.client.table import Table


class Client:
    """Talks to one server.

    `patience`: seconds for which requests are repeated while the server is unavailable. Errors: see errors.py.

        client = Client("http://127.0.0.1:8000", token)
        job = client.submit(document)
        client.wait(job.id)
        client.result(job.id)["comparisons"]
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: float = 10.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = Http(self.url, token, patience=patience, transport=transport)

    def submit(self, document: Document, *, key: str | None = None) -> Job:
        """Sends an experiment; the answer has its id and status. Sent twice it is one job.

        `key` (an Idempotency-Key) lets the server refuse another document under the same key for a day.
        """
        return self._http.run(calls.submit("/v1/experiments", document, key))

    def submit_many(self, documents: Iterable[Document], *, key: str | None = None) -> list[Json]:
        """Sends many experiments in few requests; one answer a document, in order.

        An answer has `status` and either `body` (id, status, links) or `problem`, and `line`: the document's number,
        from 1. One that is refused does not hold up the others.
        """
        return self._http.run(calls.submit_many(documents, key))

    def submit_sweep(self, document: Document, *, key: str | None = None) -> Job:
        """Sends a sweep; the answer has its id, status and counts."""
        return self._http.run(calls.submit("/v1/sweeps", document, key))

    def upload(self, file: Path | str, *, init: bool = False, label: str | None = None) -> str:
        """Sends an .npz or .csv file as a data set, or an .npz as an initialization; answers its id (d-... or i-...).

        `label` is the column of a CSV that is y; default the last. Sent again it is the same upload.
        """
        return self._http.run(calls.upload(file, init, label))

    def upload_dataset(self, **arrays: ArrayLike) -> str:
        """Sends X (samples x features), y, and X_test, y_test, w_true where there are; answers the id, d-..."""
        return self._http.run(calls.upload_arrays(arrays, init=False))

    def upload_init(self, **arrays: ArrayLike) -> str:
        """Sends the arrays of an explicit initialization, matrices as layers_0, layers_1, ...; answers the id, i-..."""
        return self._http.run(calls.upload_arrays(arrays, init=True))

    def uploaded(self, id: str) -> Json:
        """Shapes, size and owner of an upload."""
        return self._http.run(calls.uploaded(id))

    def uploaded_arrays(self, id: str) -> Arrays:
        """The arrays of an upload as they are used, float64, by name: fetched at the first look, then kept."""
        return Arrays(lambda: from_npz(self._http.run(calls.uploaded_arrays(id))))

    def delete_upload(self, id: str, *, force: bool = False) -> Json:
        """Takes an upload back. Errors: InUseError while a job needs it, NotPermittedError for that of others.

        `force` (admins): that of everybody.
        """
        return self._http.run(calls.delete_upload(id, force))

    def validate(self, document: Document) -> Json:
        """The resolved document of an experiment with id, estimate and warnings. Computes and stores nothing."""
        return self._http.run(calls.validate(document))

    def preview(self, document: Document) -> Json:
        """The cells of a sweep, how many are known, and an estimate. Computes and stores nothing."""
        return self._http.run(calls.preview(document))

    def status(self, id: str, *, wait: float = 0.0) -> Job:
        """State of an experiment or a sweep; with `wait` the answer comes at its end or after so many seconds."""
        return self._http.run(calls.status(id, wait))

    def edit(self, id: str, *, force: bool = False, **changes: Any) -> Job:
        """Changes the caller's labels (name, tags, notes) and keeps what was computed for ever, or no longer.

        `pinned` of an experiment, `kept` of a sweep. Answers the state. Errors: NotPermittedError for that of others,
        unless an admin says `force`.
        """
        return self._http.run(calls.edit(id, force, changes))

    def updates(self, id: str, *, every: float = 1.0, timeout: float | None = None) -> Iterator[Job]:
        """States until the last: whenever something happens and at once at the end.

        By server-sent events; where none come through (an old server, a proxy that holds them back) by long polls of
        `every` seconds. Outlives a restart of the server of a minute. Errors: WaitTimeoutError.
        """
        return self._http.told(follow(id, every, timeout))

    def wait(self, id: str, *, timeout: float | None = None, progress: bool = False) -> Job:
        """The last state of an experiment or a sweep: succeeded, failed or cancelled. Errors: WaitTimeoutError.

        `progress` shows how far it is: one bar that moves in a notebook, a line now and then elsewhere.
        """
        with Meter.of(id, progress) as meter:
            for state in self.updates(id, every=LONG_POLL, timeout=timeout):
                meter.show(state)
        return state

    def result(self, id: str) -> ResultDocument:
        """The result document. Errors: NoResultError while there is none."""
        return self._http.run(calls.result(id))

    def arrays(self, id: str) -> Arrays:
        """The arrays of a result by name: fetched at the first look, then kept."""
        return Arrays(lambda: from_npz(self._http.run(calls.arrays(id))))

    def dataset(self, id: str) -> Arrays:
        """The data of an experiment that has a result: X (samples x features), y, and w_true, X_test, y_test where
        there are. Fetched at the first look, then kept.
        """
        return Arrays(lambda: from_npz(self._http.run(calls.dataset(id))))

    def table(self, sweep_id: str) -> Table:
        """The sweep as rows, failed cells included; `.to_frame()` makes a pandas data frame of them."""
        return self._http.run(calls.table(sweep_id))

    def table_csv(self, sweep_id: str) -> bytes:
        """The same table as CSV."""
        return self._http.run(calls.table_csv(sweep_id))

    def figure(self, id: str, kind: str | None = None, form: str = "png") -> bytes:
        """A picture of an experiment or a sweep as png, svg or pdf."""
        return self._http.run(calls.figure(id, kind, form))

    def experiments(self, *, limit: int = 20, where: Mapping[str, Any] | None = None, **filters: Any) -> Iterator[Job]:
        """Experiments, newest first, page by page, at most `limit`.

        `filters` are status, owner, tag and name; `where` has fields of the experiment: `where={"init.shape": 0.5}`.
        """
        return self._http.told(calls.experiments(limit, where, filters))

    def sweeps(self, *, limit: int = 20, **filters: Any) -> Iterator[Job]:
        """Sweeps, newest first, page by page, at most `limit`. `filters` are status, owner, tag and name."""
        return self._http.told(calls.sweeps(limit, filters))

    def cancel(self, id: str, *, force: bool = False) -> Json:
        """Withdraws the caller; an experiment or a cell stops when nobody is left who wants it.

        `force` (admins): for everybody.
        """
        return self._http.run(calls.cancel(id, force))

    def rerun(self, id: str) -> Job:
        """Computes an experiment again; the old result stays until the new one is there."""
        return self._http.run(calls.rerun(id))

    def retry(self, sweep_id: str) -> Job:
        """Computes the cells of a sweep again that failed or were cancelled, and no others."""
        return self._http.run(calls.retry(sweep_id))

    def delete(self, id: str, *, force: bool = False) -> Json:
        """Withdraws the caller from an experiment or from the cells of a sweep; what nobody wants is deleted."""
        return self._http.run(calls.delete(id, force))

    def catalog(self) -> Json:
        """What the server knows: kinds with their fields, regularizers with formula and papers."""
        return self._http.run(calls.catalog())

    def presets(self) -> Json:
        """The published figures as documents."""
        return self._http.run(calls.presets())

    def evaluate(self, document: Document) -> Json:
        """A regularizer's value, gradient, inverse or profile at points or on a grid."""
        return self._http.run(calls.evaluate(document))

    def draw(self, document: Document, form: str = "png") -> bytes:
        """A picture of a regularizer: profiles or contours, or a family of them."""
        return self._http.run(calls.draw(document, form))

    def me(self) -> Json:
        """Who the caller is: user, role, limits (None: no limit), and what is used of them."""
        return self._http.run(calls.me())

    def create_token(
        self, user: str, *, role: str = "member", label: str = "", expires_seconds: int | None = None
    ) -> Json:
        """Makes a token (admins): `token` of the answer is shown this once. Roles: reader, member, admin.

        `label` says what it is for; without `expires_seconds` it never ends. Errors: NotPermittedError, RejectedError.
        """
        return self._http.run(calls.create_token(user, role, label, expires_seconds))

    def tokens(self) -> list[Json]:
        """Every token that holds, without the token itself (admins)."""
        return self._http.run(calls.tokens())

    def revoke_token(self, token_id: str) -> None:
        """Revokes a token, at once (admins). Errors: UnknownIdError."""
        self._http.run(calls.revoke_token(token_id))

    def audit(self, *, limit: int = 20, **filters: str) -> Iterator[Json]:
        """Who did what, newest first, page by page (admins).

        `filters` are user, action, object, outcome and request_id.
        """
        return self._http.told(calls.audit(limit, filters))

    def webhook_secret(self) -> str:
        """What the caller's webhooks are signed with (members). Errors: NotPermittedError where they are off."""
        return self._http.run(calls.webhook_secret())

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"
