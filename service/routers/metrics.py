"""Counters for Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from service import metrics
from service.openapi import Responses, problems
from service.scraping import Scraper
from service.services import AppServices

router = APIRouter(tags=["health"])

_TEXT: Responses = {
    200: {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get(
    "/metrics",
    operation_id="read_metrics",
    response_class=Response,
    responses={**_TEXT, **problems(open_to_all=False)},
    dependencies=[Depends(Scraper())],
)
async def read_metrics(request: Request, services: AppServices) -> Response:
    """Requests, queues, jobs, outcomes, workers and Redis; `initshape_redis_up 0` where the store is away."""
    requests: Any = request.app.state.requests
    found = await metrics.look(services.store)
    return Response(metrics.exposition(requests, found), media_type=metrics.CONTENT_TYPE)
