"""What a problem's `type` leads to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from service.errors import KINDS, NOT_FOUND, NotFoundError
from service.openapi import problems
from service.schemas import ProblemKind

router = APIRouter(prefix="/problems", tags=["problems"])


@router.get("/{slug}", operation_id="explain_problem", responses=problems(NOT_FOUND))
async def explain_problem(slug: Annotated[str, Path(examples=["invalid-document"])]) -> ProblemKind:
    """What a kind of problem means."""
    kind = KINDS.get(slug)
    if kind is None:
        raise NotFoundError(f"There is no problem called {slug[:100]!r}: {', '.join(sorted(KINDS))}.")
    return ProblemKind(type=kind.type, title=kind.title, status=kind.status, meaning=kind.meaning)
