"""What can go wrong on the client's side.

InitshapeError
└── ClientError
    ├── UnreachableError      nobody answers, or the server stays unavailable for longer than the client's patience
    ├── WaitTimeoutError      the job is not over in the time that the caller gave it (it goes on)
    ├── NoServerError         asked of `Local`: it has a meaning on a server alone (tokens, the audit, webhooks)
    └── ApiError              the server said no: problem details inside
        ├── RejectedError     400, 413, 415, 422: the document or the request is wrong
        ├── NotPermittedError 401, 403
        ├── UnknownIdError    404
        ├── NoResultError     409: not succeeded yet, or failed
        ├── InUseError        409: a job needs what was to be deleted
        ├── ExpiredError      410
        └── ServerError       5xx, and 429 beyond the client's patience
"""

from __future__ import annotations

from initshape.spec.problem import InitshapeError, Problem, ProblemError


class ClientError(InitshapeError):
    """Base of the client's errors."""


class UnreachableError(ClientError):
    """The server cannot be reached."""


class WaitTimeoutError(ClientError):
    """The job goes on; only the waiting is over."""


class NoServerError(ClientError):
    """`Local` has neither tokens nor an audit nor webhooks: those are a server's."""


class ApiError(ClientError):
    """The server refused. `problem` is the whole answer (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.problem.status

    @property
    def errors(self) -> tuple[ProblemError, ...]:
        """What is wrong where, for documents."""
        return self.problem.errors

    def __str__(self) -> str:
        lines = [f"{self.problem.detail} ({self.problem.title}, {self.status})"]
        return "\n".join([*lines, *(f"  {e.pointer}: {e.hint}" for e in self.errors)])


class RejectedError(ApiError):
    """The document is wrong; nothing was stored."""


class NotPermittedError(ApiError):
    """The token is missing, wrong, or may not do this."""


class UnknownIdError(ApiError):
    """Never known, or deleted."""


class NoResultError(ApiError):
    """The job has not succeeded."""


class InUseError(ApiError):
    """A job that waits or runs needs it."""


class ExpiredError(ApiError):
    """The result was there; submit again to recompute it."""


class ServerError(ApiError):
    """The server is in trouble."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: NotPermittedError,
    403: NotPermittedError,
    404: UnknownIdError,
    409: NoResultError,
    410: ExpiredError,
    429: ServerError,
}


def api_error(problem: Problem) -> ApiError:
    """The exception for an answer."""
    if problem.type.endswith("/in-use"):
        return InUseError(problem)
    kind = _BY_STATUS.get(problem.status, ServerError if problem.status >= 500 else RejectedError)
    return kind(problem)
