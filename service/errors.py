"""Every non-2xx answer is RFC 9457 problem details, and the exceptions that become one.

InitshapeError
├── SpecError                   400, 413, 422 (initshape.spec.problem)
├── StoreUnavailableError       503 (initshape.store.errors)
├── StoreFullError              507
└── ServiceError
    ├── UnauthorizedError       401
    ├── ForbiddenError          403
    ├── NotFoundError           404
    ├── TimedOutError           408
    ├── NotReadyError           409
    ├── InUseError              409
    ├── ExpiredError            410
    ├── TooLargeError           413
    ├── UnsupportedMediaError   415
    ├── RangeError              416
    ├── InvalidParameterError   422
    ├── TooManyStreamsError     429
    ├── RateError               429
    ├── QuotaError              429
    └── UnavailableError        503
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from initshape.logs import request_id
from initshape.spec.explain import parameter_hint, pointer
from initshape.spec.problem import InitshapeError, JobError, Problem, ProblemError, SpecError, shown
from initshape.spec.status import Status
from initshape.store.errors import StoreFullError, StoreUnavailableError
from service import head

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2
_AWAY = "The store does not answer; nothing was lost. Try again shortly."
_FULL = "The store is full and takes nothing new; results can still be read."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """One kind of problem. `type` is its stable URI; GET it for the explanation."""

    slug: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


BAD_REQUEST = Kind("bad-request", 400, "Bad request", "The request or its body cannot be parsed.")
UNAUTHORIZED = Kind("unauthorized", 401, "Unauthorized", "Send `Authorization: Bearer <token>` with a valid token.")
FORBIDDEN = Kind("forbidden", 403, "Forbidden", "This caller may not do this.")
NOT_FOUND = Kind("not-found", 404, "Not found", "Nothing has this address or id: never known, or deleted.")
NOT_ALLOWED = Kind("method-not-allowed", 405, "Method not allowed", "The Allow header names the methods that exist.")
TIMED_OUT = Kind("request-timeout", 408, "Request timeout", "The request came too slowly; the connection is closed.")
NOT_READY = Kind("not-ready", 409, "No result yet", "The job has not succeeded; `job` has its status and its error.")
IN_USE = Kind("in-use", 409, "In use", "A job that waits or runs needs it: delete it when the job has ended.")
EXPIRED = Kind("expired", 410, "Expired", "The result was there, and its time is over. Submit again to recompute it.")
TOO_LARGE = Kind("too-large", 413, "Too large", "What is sent or asked for exceeds the limit in `detail`.")
HEAD_TOO_LARGE = Kind(
    "head-too-large", 431, "Request header fields too large", "Send less in the headers or the address."
)
UNSUPPORTED = Kind("unsupported-media-type", 415, "Unsupported media type", "Send JSON or YAML; uploads as npz or CSV.")
NO_RANGE = Kind("range-not-satisfiable", 416, "Range not satisfiable", "The range begins behind the end of the file.")
INVALID = Kind("invalid-document", 422, "Invalid document", "The document breaks the rules that `errors` lists.")
INVALID_PARAMETER = Kind("invalid-parameter", 422, "Invalid parameter", "A query or path parameter is not valid.")
STREAMS = Kind("too-many-streams", 429, "Too many streams", "Close one of your event streams, or poll with `?wait=`.")
RATE = Kind("too-many-requests", 429, "Too many requests", "Come again after the seconds that Retry-After names.")
QUOTA = Kind(
    "quota-exceeded", 429, "Quota exceeded", "What one user may have here is used up; `errors` says how to go on."
)
INTERNAL = Kind("internal", 500, "Internal error", "A defect of the server; its log has the details.")
UNAVAILABLE = Kind("unavailable", 503, "Temporarily unavailable", "The store does not answer now: retry later.")
FULL = Kind("insufficient-storage", 507, "Insufficient storage", "The store takes no more; tell the operator.")

KINDS = {
    kind.slug: kind
    for kind in (
        BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, NOT_READY, EXPIRED, TOO_LARGE, UNSUPPORTED,
        INVALID, INVALID_PARAMETER, INTERNAL, UNAVAILABLE, FULL, IN_USE, NO_RANGE, STREAMS, RATE, QUOTA,
        TIMED_OUT, HEAD_TOO_LARGE,
    )
}  # fmt: skip
_BY_STATUS = {400: BAD_REQUEST, 401: UNAUTHORIZED, 403: FORBIDDEN, 404: NOT_FOUND, 405: NOT_ALLOWED, 413: TOO_LARGE,
              415: UNSUPPORTED, 422: INVALID, 503: UNAVAILABLE}  # fmt: skip


class ServiceError(InitshapeError):
    """Base of the errors that a route raises on purpose."""

    kind: ClassVar[Kind] = INTERNAL

    def __init__(self, detail: str, *, errors: tuple[ProblemError, ...] = (), headers: dict[str, str] | None = None,
                 extra: dict[str, Any] | None = None) -> None:  # fmt: skip
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extra = extra or {}


class UnauthorizedError(ServiceError):
    """No valid token."""

    kind = UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="initshape"'})


class ForbiddenError(ServiceError):
    """A known caller, or a browser page, that may not do this."""

    kind = FORBIDDEN


class NotFoundError(ServiceError):
    """Never known, or deleted."""

    kind = NOT_FOUND


class NotReadyError(ServiceError):
    """A result was asked of a job that has not succeeded."""

    kind = NOT_READY

    def __init__(self, job_id: str, status: Status, error: JobError | None) -> None:
        why = f": {error.detail}" if error else ""
        body = {"id": job_id, "status": status.value, "error": error.model_dump() if error else None}
        super().__init__(f"{job_id} is {status.value}{why}.".replace("..", "."), extra={"job": body})


class InUseError(ServiceError):
    """What a job needs is not deleted under it."""

    kind = IN_USE


class ExpiredError(ServiceError):
    """A result whose time is over; the record outlives it."""

    kind = EXPIRED


class TooLargeError(ServiceError):
    """A body, or what was asked for, is above the limit. The connection is closed, so that no rest of it is read."""

    kind = TOO_LARGE

    def __init__(self, limit: int, what: str = "body") -> None:
        super().__init__(f"The {what} exceeds {limit} bytes.", headers={"Connection": "close"})


class TimedOutError(ServiceError):
    """A body that comes too slowly. The connection is closed, so that nobody waits for the rest of it."""

    kind = TIMED_OUT

    def __init__(self) -> None:
        super().__init__("The body came too slowly.", headers={"Connection": "close"})


class UnsupportedMediaError(ServiceError):
    """A content type or encoding that no route reads."""

    kind = UNSUPPORTED


class RangeError(ServiceError):
    """No byte of the range exists. The size goes with it, so that the caller can ask again."""

    kind = NO_RANGE

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})


class InvalidParameterError(ServiceError):
    """A query parameter that only the route itself can judge."""

    kind = INVALID_PARAMETER


class TooManyStreamsError(ServiceError):
    """The caller has as many event streams open as one user may."""

    kind = STREAMS

    def __init__(self, most: int) -> None:
        detail = f"You have {most} event streams open, which is the most: close one, or poll with `?wait=`."
        super().__init__(detail, headers={"Retry-After": str(RETRY_SECONDS)})


class RateError(ServiceError):
    """More requests than the user's rate. `seconds` until the next one."""

    kind = RATE

    def __init__(self, detail: str, seconds: int, errors: tuple[ProblemError, ...]) -> None:
        super().__init__(detail, errors=errors, headers={"Retry-After": str(seconds)})


class QuotaError(RateError):
    """The user's jobs or bytes are used up."""

    kind = QUOTA


class UnavailableError(ServiceError):
    """Try again later."""

    kind = UNAVAILABLE

    def __init__(self, detail: str, *, extra: dict[str, Any] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(RETRY_SECONDS)}, extra=extra)


def problem_response(
    kind: Kind, detail: str, path: str, *, status: int | None = None, errors: tuple[ProblemError, ...] = (),
    headers: dict[str, str] | None = None, extra: dict[str, Any] | None = None,
) -> Response:  # fmt: skip
    """A problem as a response. A lone surrogate in an echoed text becomes its JSON escape, never a failed encoding."""
    body = problem_of(kind, detail, path, status=status, errors=errors)
    document = {**body.model_dump(), **(extra or {})}
    if request := request_id():
        document["request_id"] = request
    content = json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
    return Response(content, status_code=body.status, media_type=MEDIA_TYPE, headers=headers)


def problem_of(
    kind: Kind, detail: str, path: str, *, status: int | None = None, errors: tuple[ProblemError, ...] = ()
) -> Problem:
    """Problem details."""
    return Problem(type=kind.type, title=kind.title, status=status or kind.status, detail=detail, instance=path,
                   errors=errors)  # fmt: skip


def spec_problem(error: SpecError, path: str) -> Problem:
    """What is wrong with a document."""
    kind = _BY_STATUS.get(error.status, INVALID)
    return problem_of(kind, error.detail, path, status=error.status, errors=error.errors)


def store_problem(error: StoreUnavailableError | StoreFullError, path: str) -> Problem:
    """The store takes nothing now."""
    return problem_of(FULL, _FULL, path) if isinstance(error, StoreFullError) else problem_of(UNAVAILABLE, _AWAY, path)


def install(app: FastAPI) -> None:
    """Registers the handlers. Starlette logs what reaches the last one with its traceback."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(SpecError, _spec_error)
    app.add_exception_handler(StoreUnavailableError, _unavailable)
    app.add_exception_handler(StoreFullError, _full)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _parameter_error)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(Exception, _internal)


def _path(request: Request) -> str:
    return request.url.path.encode("utf-8", "backslashreplace").decode()


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type only
    await request.app.state.note_denial(request, error.kind)
    return problem_response(error.kind, error.detail, _path(request), errors=error.errors, headers=error.headers,
                            extra=error.extra)  # fmt: skip


async def _spec_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SpecError)  # noqa: S101
    kind = _BY_STATUS.get(error.status, INVALID)
    return problem_response(kind, error.detail, _path(request), status=error.status, errors=error.errors)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("store unavailable: %s", error)
    return problem_response(UNAVAILABLE, _AWAY, _path(request), headers={"Retry-After": str(RETRY_SECONDS)})


async def _full(request: Request, error: Exception) -> Response:
    log.error("store full: %s", error)
    return problem_response(FULL, _FULL, _path(request))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    kind = _BY_STATUS.get(error.status_code, BAD_REQUEST if error.status_code < 500 else INTERNAL)
    details = {
        404: f"There is no {_path(request)}. Ids are x-, s-, d- or i- and 26 characters a-z, 2-7; see /openapi.json.",
        405: f"{request.method} is not possible here.",
    }
    detail = details.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return problem_response(kind, detail, _path(request), status=error.status_code, headers=headers)


def _methods(request: Request) -> set[str]:
    """Methods of every route with this path; the framework's own header knows only the first of them."""
    routes = iter_route_contexts(request.app.routes)
    path = request.url.path
    found = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    return found | {"HEAD"} if "GET" in found and head.answered(path) else found


async def _parameter_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found: dict[str, Any] = {}
    for item in error.errors()[:20]:  # a repeated header is told of once
        found.setdefault(pointer(item["loc"]), item)
    problems = tuple(
        ProblemError(pointer=where, value=shown(item.get("input")), allowed=_allowed(item), hint=parameter_hint(item))
        for where, item in found.items()
    )
    return problem_response(INVALID_PARAMETER, "A parameter is not valid.", _path(request), errors=problems)


_LIMITS = {
    "ge": "at least {:.16g}", "gt": "more than {:.16g}", "le": "at most {:.16g}", "lt": "less than {:.16g}",
    "min_length": "at least {} characters", "max_length": "at most {} characters",
    "pattern": "text that matches {}", "expected": "{}",
}  # fmt: skip


def _allowed(item: Any) -> str | None:
    context = item.get("ctx") or {}
    return ", ".join(text.format(context[name]) for name, text in _LIMITS.items() if name in context) or None


async def _disconnected(request: Request, error: Exception) -> Response:
    return problem_response(BAD_REQUEST, "The caller left before the body was complete.", _path(request))


async def _internal(request: Request, error: Exception) -> Response:
    headers = {"X-Request-ID": request_id()}  # this answer comes from outside of all layers
    return problem_response(INTERNAL, "The server failed on this request; its log says why.", _path(request),
                            headers=headers)  # fmt: skip
