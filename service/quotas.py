"""Refusals of what is too much (429): each says what is full, what would help, and when to come again."""

from __future__ import annotations

import math

from initshape.spec.problem import Problem, ProblemError
from initshape.store.admission import Excess, Kind, Reservation
from initshape.store.jobs import Answer, Submitted
from service.errors import QUOTA, RATE, QuotaError, RateError, UnauthorizedError, problem_of
from service.settings import Settings

CROWDED_SECONDS, STUFFED_SECONDS = 30, 600
"""When to come again: jobs end by themselves, what is stored goes when somebody deletes it or it expires."""


def too_soon(wait: float, kind: Kind, settings: Settings) -> RateError:
    """More requests than the user's rate."""
    rate, what = (settings.reads_per_second, "reads") if kind == "read" else (settings.writes_per_second, "writes")
    hint = "wait as Retry-After says" + ("; POST /v1/batch takes many at once" if kind == "write" else "")
    problem = ProblemError(pointer="", value=None, allowed=f"{rate:g} {what} a second", hint=hint)
    return RateError(f"Too many requests: {rate:g} {what} a second are allowed.", max(1, math.ceil(wait)), (problem,))


def full(excess: Excess, held: int, settings: Settings, new: int = 1) -> QuotaError:
    """A quota is full, or `new` more jobs would exceed it."""
    if excess is Excess.crowded:
        most = settings.max_active_jobs
        detail = f"{held} of your jobs wait or run and {new} more would be too many: {most} are allowed."
        hint = "wait until some have ended, cancel some, or send a smaller sweep"
        problem = ProblemError(pointer="", value=new, allowed=f"{max(0, most - held)} more jobs now", hint=hint)
        return QuotaError(detail, CROWDED_SECONDS, (problem,))
    most = settings.max_stored
    detail = f"Your results and uploads hold {held} bytes: {most} are allowed."
    hint = "delete experiments and uploads that are not needed; known results can still be read"
    return QuotaError(detail, STUFFED_SECONDS, (ProblemError(pointer="", value=held, allowed=most, hint=hint),))


def refuse_excess(reservation: Reservation, settings: Settings) -> None:
    """Errors: QuotaError where there is no room for all of it."""
    if reservation.excess is not None:
        raise full(reservation.excess, reservation.held, settings, reservation.new)


def refuse(done: Submitted, settings: Settings) -> None:
    """Errors: UnauthorizedError, RateError, QuotaError where a submission was not let in."""
    if done.answer is Answer.unknown:
        raise UnauthorizedError("The token is not valid.")
    if done.answer is Answer.slow:
        raise too_soon(done.number / 1000, "write", settings)
    if done.answer in (Answer.crowded, Answer.stuffed):
        raise full(Excess(done.answer.value), done.number, settings)


def refusal(done: Submitted, settings: Settings, path: str) -> Problem | None:
    """The same as problem details, for one line of a batch."""
    try:
        refuse(done, settings)
    except QuotaError as error:
        return problem_of(QUOTA, error.detail, path, errors=error.errors)
    except RateError as error:
        return problem_of(RATE, error.detail, path, errors=error.errors)
    return None
