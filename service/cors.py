"""Pages of other origins: none may read answers, but for those that the operator names. Tokens travel in a header and
never in a cookie, so a page can do no more than who gave it a token."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from service.errors import FORBIDDEN, problem_response

_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID", "Range")
_READ = ("Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After", "X-Request-ID")
_REMEMBERED_SECONDS = 600


class Cors(CORSMiddleware):
    """Cross-origin requests of the named origins; a refused preflight is answered by problem details."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app, allow_origins=origins, allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"), allow_headers=_SENT,
            expose_headers=_READ, max_age=_REMEMBERED_SECONDS,
        )  # fmt: skip

    def preflight_response(self, request_headers: Headers) -> Response:
        """What browsers ask first."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return problem_response(FORBIDDEN, f"{bytes(answer.body).decode()}.", "*", headers=kept)
