"""The client of an experiment server: documents are plain dicts as in submission files, answers the server's JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from initshape.client.errors import ClientError
from initshape.client.follow import LONG_POLL, updates
from initshape.client.http import Http
from initshape.client.lines import pieces
from initshape.uploads import to_npz
from initshape.uploads.files import Form, float_arrays, form_of

Document = Mapping[str, Any]
Json = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A sweep as rows, one a cell in the order of the sweep; `axes` are the columns that were swept."""

    id: str
    axes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Json, ...]


class Client:
    """Talks to one server.

    `patience`: seconds for which requests are repeated while the server is unavailable. Errors: see errors.py.

        client = Client("http://127.0.0.1:8000", token)
        job = client.submit(document)
        client.wait(job["id"])
        client.result(job["id"])["comparisons"]
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

    def submit(self, document: Document) -> Json:
        """Sends an experiment; the answer has its id and status. Sent twice it is one job."""
        return self._json("POST", "/v1/experiments", json=document)

    def submit_many(self, documents: Iterable[Document]) -> list[Json]:
        """Sends many experiments in few requests; one answer a document, in order.

        An answer has `status` and either `body` (id, status, links) or `problem`, and `line`: the document's number,
        from 1. One that is refused does not hold up the others.
        """
        answers: list[Json] = []
        for lines in pieces(documents):
            found = self._http.request(
                "POST", "/v1/batch", content=(b"".join(lines), "application/jsonl"), seconds=120.0
            )
            told = [json.loads(text) for text in found.content.splitlines()]
            if len(told) != len(lines):
                raise ClientError(f"{self.url} answered {len(told)} of {len(lines)} lines.")
            answers += [answer | {"line": len(answers) + k} for k, answer in enumerate(told, 1)]
        return answers

    def submit_sweep(self, document: Document) -> Json:
        """Sends a sweep; the answer has its id, status and counts."""
        return self._json("POST", "/v1/sweeps", json=document)

    def upload(self, file: Path | str, *, init: bool = False, label: str | None = None) -> str:
        """Sends an .npz or .csv file as a data set, or an .npz as an initialization; answers its id (d-... or i-...).

        `label` is the column of a CSV that is y; default the last. Sent again it is the same upload.
        """
        path = Path(file)
        form = form_of(path, init)
        return self._upload(path.read_bytes(), form, init, label)

    def upload_dataset(self, **arrays: ArrayLike) -> str:
        """Sends X (samples x features), y, and X_test, y_test, w_true where there are; answers the id, d-..."""
        return self._upload(to_npz(float_arrays(arrays)), "npz")

    def upload_init(self, **arrays: ArrayLike) -> str:
        """Sends the arrays of an explicit initialization, matrices as layers_0, layers_1, ...; answers the id, i-..."""
        return self._upload(to_npz(float_arrays(arrays)), "npz", init=True)

    def uploaded(self, id: str) -> Json:
        """Shapes, size and owner of an upload."""
        return self._json("GET", _upload_path(id))

    def delete_upload(self, id: str) -> Json:
        """Takes an upload back. Errors: InUseError while a job needs it, NotPermittedError for that of others."""
        return self._json("DELETE", _upload_path(id))

    def validate(self, document: Document) -> Json:
        """The resolved document with id, estimate and warnings. Computes and stores nothing."""
        return self._json("POST", "/v1/experiments/validate", json=document)

    def status(self, id: str, *, wait: float = 0.0) -> Json:
        """State of an experiment or a sweep; with `wait` the answer comes at its end or after so many seconds."""
        return self._json("GET", _path(id), params={"wait": wait} if wait else None, seconds=30.0 + wait)

    def edit(self, id: str, **changes: Any) -> Json:
        """Changes the caller's labels (name, tags, notes) and keeps what was computed for ever, or no longer.

        `pinned` of an experiment, `kept` of a sweep. Answers the state. Errors: NotPermittedError for that of others.
        """
        return self._json("PATCH", _path(id), json=changes)

    def delete(self, id: str) -> Json:
        """Withdraws the caller from an experiment or from the cells of a sweep; what nobody wants is deleted."""
        return self._json("DELETE", _path(id), seconds=120.0)

    def updates(self, id: str, *, every: float = 1.0, timeout: float | None = None) -> Iterator[Json]:
        """States until the last: whenever something happens and at once at the end.

        By server-sent events; where none come through (an old server, a proxy that holds them back) by long polls of
        `every` seconds. Outlives a restart of the server of a minute. Errors: WaitTimeoutError.
        """
        return updates(self._http, self._json, _path(id), id, every, timeout)

    def wait(self, id: str, *, timeout: float | None = None) -> Json:
        """The last state of an experiment or a sweep: succeeded, failed or cancelled. Errors: WaitTimeoutError."""
        for state in self.updates(id, every=LONG_POLL, timeout=timeout):
            last = state
        return last

    def result(self, id: str) -> Json:
        """The result document. Errors: NoResultError while there is none."""
        return self._json("GET", f"{_path(id)}/result")

    def arrays(self, id: str) -> dict[str, NDArray[Any]]:
        """The arrays of a result, by name."""
        body = self._http.request("GET", f"{_path(id)}/arrays.npz", seconds=300.0).content
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def table(self, sweep_id: str) -> Table:
        """The sweep as rows, failed cells included."""
        found = self._json("GET", f"{_path(sweep_id)}/table.json", seconds=120.0)
        return Table(found["id"], tuple(found["axes"]), tuple(found["columns"]), tuple(found["rows"]))

    def table_csv(self, sweep_id: str) -> bytes:
        """The same table as CSV."""
        return self._http.request("GET", f"{_path(sweep_id)}/table.csv", seconds=120.0).content

    def figure(self, id: str, kind: str | None = None, form: str = "png") -> bytes:
        """A picture of an experiment or a sweep as png, svg or pdf."""
        params = {"kind": kind} if kind else None
        return self._http.request("GET", f"{_path(id)}/figure.{form}", params=params, seconds=120.0).content

    def experiments(self, *, limit: int = 20, where: Mapping[str, Any] | None = None, **filters: Any) -> Iterator[Json]:
        """Experiments, newest first, page by page, at most `limit`.

        `filters` are status, owner and tag; `where` has fields of the experiment: `where={"init.shape": 0.5}`.
        """
        filters = {**filters, **{name: _text(value) for name, value in (where or {}).items()}}
        cursor, left = None, limit
        while left > 0:
            params = {**filters, "limit": min(left, 100), **({"cursor": cursor} if cursor else {})}
            page = self._json("GET", "/v1/experiments", params=params)
            yield from page["items"][:left]
            left -= len(page["items"])
            cursor = page.get("next")
            if not cursor:
                return

    def catalog(self) -> Json:
        """What the server knows: kinds with their fields, regularizers with formula and papers."""
        return self._json("GET", "/v1/catalog", seconds=60.0)

    def presets(self) -> Json:
        """The published figures as documents."""
        return self._json("GET", "/v1/presets", seconds=60.0)

    def evaluate(self, document: Document) -> Json:
        """A regularizer's value, gradient, inverse or profile at points or on a grid."""
        return self._json("POST", "/v1/regularizers/evaluate", json=document, seconds=60.0)

    @property
    def http(self) -> Http:
        """The connection, for what has no method here (access.py)."""
        return self._http

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

    def _upload(self, body: bytes, form: Form, init: bool = False, label: str | None = None) -> str:
        path, params = "/v1/inits" if init else "/v1/datasets", {"label": label} if label is not None else None
        media = "text/csv" if form == "csv" else "application/zip"
        return str(self._json("POST", path, params=params, content=(body, media), seconds=300.0)["id"])

    def _json(self, method: str, path: str, **options: Any) -> Json:
        found = self._http.request(method, path, **options).json()
        if not isinstance(found, dict):
            raise ClientError(f"{path} did not answer with an object: is {self.url} an initshape server?")
        return found


def is_sweep(id: str) -> bool:
    """Sweep ids start with s-, experiment ids with x-."""
    return id.startswith("s-")


def _text(value: Any) -> str:
    """A value as filters are written: words as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _upload_path(id: str) -> str:
    return f"/v1/{'inits' if id.startswith('i-') else 'datasets'}/{quote(id, safe='')}"


def _path(id: str) -> str:
    return f"/v1/{'sweeps' if is_sweep(id) else 'experiments'}/{quote(id, safe='')}"
