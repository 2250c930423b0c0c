"""What a client can ask of a server: every call once, for `Client` and `AsyncClient`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from numpy.typing import ArrayLike
from pydantic import BaseModel

from initshape.client.call import Answer, Call, Request, Tell, as_object
from initshape.client.errors import ClientError
from initshape.client.job import Job, ResultDocument
from initshape.client.lines import pieces
from initshape.client.places import path_of, upload_path
from initshape.client.table import Table
from initshape.uploads import to_npz
from initshape.uploads.files import Form, float_arrays, form_of

Document: TypeAlias = Mapping[str, Any] | BaseModel
"""A document as in a submission file, or the model of one (initshape.spec: Submission, SweepSubmission, ...)."""
Json: TypeAlias = dict[str, Any]
_LONG = 120.0


def plain(document: Document) -> Mapping[str, Any]:
    """A document as JSON has it."""
    return document.model_dump(mode="json", exclude_none=True) if isinstance(document, BaseModel) else document


def json_of(method: str, path: str, **options: Any) -> Call[Json]:
    """One request that is answered by an object."""
    return as_object((yield Request(method, path, **options)))


def bytes_of(method: str, path: str, **options: Any) -> Call[bytes]:
    """One request that is answered by a file."""
    answer: Answer = yield Request(method, path, **options)
    return answer.content


def job_of(method: str, path: str, **options: Any) -> Call[Job]:
    """One request that is answered by a state."""
    return Job((yield from json_of(method, path, **options)))


def submit(path: str, document: Document, key: str | None) -> Call[Job]:
    """An experiment or a sweep."""
    return job_of("POST", path, json=plain(document), headers=_key(key))


def submit_many(documents: Iterable[Document], key: str | None) -> Call[list[Json]]:
    """Many experiments, in as few requests as the server's limits allow."""
    answers: list[Json] = []
    for number, lines in enumerate(pieces(plain(document) for document in documents)):
        body = (b"".join(lines), "application/jsonl")
        found = yield from bytes_of("POST", "/v1/batch", content=body, seconds=_LONG,
                                    headers=_key(key and f"{key}-{number}"))  # fmt: skip
        told = [json.loads(text) for text in found.splitlines()]
        if len(told) != len(lines):
            raise ClientError(f"The server answered {len(told)} of {len(lines)} lines.")
        answers += [answer | {"line": len(answers) + k} for k, answer in enumerate(told, 1)]
    return answers


def upload(file: Path | str, init: bool, label: str | None) -> Call[str]:
    """A file."""
    path = Path(file)
    form = form_of(path, init)
    return _upload(path.read_bytes(), form, init, label)


def upload_arrays(arrays: Mapping[str, ArrayLike], init: bool) -> Call[str]:
    """Arrays."""
    return _upload(to_npz(float_arrays(arrays)), "npz", init)


def _upload(body: bytes, form: Form, init: bool, label: str | None = None) -> Call[str]:
    path, params = "/v1/inits" if init else "/v1/datasets", {"label": label} if label is not None else None
    media = "text/csv" if form == "csv" else "application/zip"
    found = yield from json_of("POST", path, params=params, content=(body, media), seconds=300.0)
    return str(found["id"])


def uploaded(id: str) -> Call[Json]:
    """Facts of an upload."""
    return json_of("GET", upload_path(id))


def delete_upload(id: str, force: bool) -> Call[Json]:
    """One fewer who wants it."""
    return json_of("DELETE", upload_path(id), params=_forced(force))


def uploaded_arrays(id: str) -> Call[bytes]:
    """The .npz."""
    return bytes_of("GET", f"{upload_path(id)}/content.npz", seconds=300.0)


def validate(document: Document) -> Call[Json]:
    """The resolved document."""
    return json_of("POST", "/v1/experiments/validate", json=plain(document))


def preview(document: Document) -> Call[Json]:
    """The cells."""
    return json_of("POST", "/v1/sweeps/preview", json=plain(document), seconds=_LONG)


def status(id: str, wait: float) -> Call[Job]:
    """The state."""
    return job_of("GET", path_of(id), params={"wait": wait} if wait else None, seconds=30.0 + wait)


def result(id: str) -> Call[ResultDocument]:
    """The result document."""
    return ResultDocument((yield from json_of("GET", f"{path_of(id)}/result")))


def arrays(id: str) -> Call[bytes]:
    """The .npz."""
    return bytes_of("GET", f"{path_of(id)}/arrays.npz", seconds=300.0)


def dataset(id: str) -> Call[bytes]:
    """The .npz of the data."""
    return bytes_of("GET", f"{path_of(id)}/dataset.npz", seconds=300.0)


def table(sweep_id: str) -> Call[Table]:
    """The rows."""
    found = yield from json_of("GET", f"{path_of(sweep_id)}/table.json", seconds=_LONG)
    return Table(found["id"], tuple(found["axes"]), tuple(found["columns"]), tuple(found["rows"]))


def table_csv(sweep_id: str) -> Call[bytes]:
    """The rows as CSV."""
    return bytes_of("GET", f"{path_of(sweep_id)}/table.csv", seconds=_LONG)


def figure(id: str, kind: str | None, form: str) -> Call[bytes]:
    """A picture."""
    return bytes_of("GET", f"{path_of(id)}/figure.{form}", params={"kind": kind} if kind else None, seconds=_LONG)


def listed(path: str, limit: int, filters: Mapping[str, Any], kind: type[Json] = Job) -> Call[None]:
    """Tells the items of a list, page by page; a page of rare finds may be empty and lead on."""
    cursor, left = None, limit
    while left > 0:
        params = {**filters, "limit": min(left, 100), **({"cursor": cursor} if cursor else {})}
        page = yield from json_of("GET", path, params=params)
        for item in page["items"][:left]:
            yield Tell(kind(item))
        left -= len(page["items"])
        cursor = page.get("next")
        if not cursor:
            return


def experiments(limit: int, where: Mapping[str, Any] | None, filters: Mapping[str, Any]) -> Call[None]:
    """Experiments; values are written as filters are: words as they are, the rest as JSON."""
    fields = {name: text_of(value) for name, value in (where or {}).items()}
    return listed("/v1/experiments", limit, {**filters, **fields})


def sweeps(limit: int, filters: Mapping[str, Any]) -> Call[None]:
    """Sweeps."""
    return listed("/v1/sweeps", limit, filters)


def text_of(value: Any) -> str:
    """A value as a filter has it."""
    return value if isinstance(value, str) else json.dumps(value)


def edit(id: str, force: bool, changes: Mapping[str, Any]) -> Call[Job]:
    """Labels and keeping; said twice it is said once."""
    return job_of("PATCH", path_of(id), params=_forced(force), json=dict(changes))


def cancel(id: str, force: bool) -> Call[Json]:
    """Nobody of this user's wants it."""
    return json_of("POST", f"{path_of(id)}/cancel", params=_forced(force))


def rerun(id: str) -> Call[Job]:
    """A new attempt. Asked for twice it may be two, so it is not repeated blindly."""
    return job_of("POST", f"{path_of(id)}/rerun", repeatable=False)


def retry(sweep_id: str) -> Call[Job]:
    """New attempts where there is no result; those that wait already are left alone."""
    return job_of("POST", f"{path_of(sweep_id)}/retry", seconds=_LONG)


def delete(id: str, force: bool) -> Call[Json]:
    """The record."""
    return json_of("DELETE", path_of(id), params=_forced(force), seconds=_LONG)


def catalog() -> Call[Json]:
    """What there is."""
    return json_of("GET", "/v1/catalog", seconds=60.0)


def presets() -> Call[Json]:
    """Published figures."""
    return json_of("GET", "/v1/presets", seconds=60.0)


def evaluate(document: Document) -> Call[Json]:
    """A regularizer."""
    return json_of("POST", "/v1/regularizers/evaluate", json=plain(document), seconds=60.0)


def draw(document: Document, form: str) -> Call[bytes]:
    """A picture of a regularizer."""
    return bytes_of("POST", f"/v1/regularizers/figure.{form}", json=plain(document), seconds=60.0)


def me() -> Call[Json]:
    """The caller."""
    return json_of("GET", "/v1/me")


def create_token(user: str, role: str, label: str, expires_seconds: int | None) -> Call[Json]:
    """A token. Asked for twice it may be two, one of them lost, so it is not repeated blindly."""
    wanted = {"user": user, "role": role, "label": label, "expires_seconds": expires_seconds}
    return json_of("POST", "/v1/tokens", json=wanted, repeatable=False)


def tokens() -> Call[list[Json]]:
    """All of them."""
    return list((yield from json_of("GET", "/v1/tokens"))["items"])


def revoke_token(token_id: str) -> Call[None]:
    """One fewer."""
    yield from bytes_of("DELETE", f"/v1/tokens/{quote(token_id, safe='')}")


def audit(limit: int, filters: Mapping[str, Any]) -> Call[None]:
    """Lines."""
    return listed("/v1/audit", limit, filters, dict)


def webhook_secret() -> Call[str]:
    """Of the caller."""
    return str((yield from json_of("GET", "/v1/webhooks/secret"))["secret"])


def _forced(force: bool) -> Mapping[str, str] | None:
    return {"force": "true"} if force else None


def _key(key: str | None) -> Mapping[str, str] | None:
    return None if key is None else {"Idempotency-Key": key}
