"""Many experiments in one request, as JSON lines."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from initshape.spec.problem import ProblemError, SpecError
from initshape.store import audit
from service import batches
from service.auth import Member, actor, entry
from service.bodies import LINES, read_lines
from service.errors import BAD_REQUEST, FULL, INVALID, INVALID_PARAMETER, TIMED_OUT, TOO_LARGE, UNSUPPORTED
from service.examples import BATCHES
from service.idempotency import IdempotencyKey, hold_to
from service.openapi import Responses, problems
from service.schemas import LineAnswer
from service.services import AppServices

router = APIRouter(prefix="/v1", tags=["experiments"])

_TEXT: dict[str, Any] = {"schema": {"type": "string", "description": "A Submission in each line."}, "examples": BATCHES}
_BODY = {"requestBody": {"required": True, "content": dict.fromkeys(LINES, _TEXT)}}
_ANSWER: Responses = {
    200: {
        "description": "A LineAnswer in each line, in the order of the lines that are not blank.",
        "content": {LINES[0]: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/batch",
    operation_id="submit_batch",
    response_class=Response,
    responses={**_ANSWER, **problems(BAD_REQUEST, TIMED_OUT, TOO_LARGE, UNSUPPORTED, INVALID, INVALID_PARAMETER, FULL,
                                     open_to_all=False)},
    openapi_extra=_BODY,
)  # fmt: skip
async def submit_batch(
    request: Request, services: AppServices, caller: Member, idempotency_key: IdempotencyKey = None
) -> Response:
    """Submits one experiment a line; each line is answered as if it had come alone, whatever the others hold.

    The status of the whole is 200 also where lines are refused. Blank lines are passed over.
    """
    texts = await read_lines(request, services.settings.max_batch)
    lines = batches.lines_of(texts)
    _refuse_number(len(lines), services.settings.max_batch_lines)
    await hold_to(services, caller.user, "batch", idempotency_key, b"\n".join(texts), "batch")
    answers = await batches.submit(services, caller.user, lines, replace(entry(services, caller), actor=""))
    taken = sum(answer.body is not None for answer in answers)
    told = audit.record(
        actor(services, caller), "submit_batch", "", f"{taken} accepted, {len(answers) - taken} refused"
    )
    await services.store.run(told)
    return Response(await services.in_thread(lambda: _encode(answers)), media_type=LINES[0])


def _refuse_number(lines: int, most: int) -> None:
    if not 1 <= lines <= most:
        problem = ProblemError(
            pointer="", value=lines, allowed=f"1 to {most} lines", hint="send one document a line, in several requests"
        )
        raise SpecError(f"The body has {lines} lines that are not blank.", (problem,))


def _encode(answers: list[LineAnswer]) -> bytes:
    texts = (json.dumps(answer.model_dump(), allow_nan=False) for answer in answers)
    return "".join(f"{text}\n" for text in texts).encode()
