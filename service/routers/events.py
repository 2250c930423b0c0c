"""Server-sent events: what an experiment or a sweep does, as it does it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from initshape.store import sweeps
from initshape.store.events import Followed, follow
from initshape.store.sweeps import SweepRecord
from service import streaming
from service.auth import CurrentCaller
from service.errors import EXPIRED, INVALID_PARAMETER, NOT_FOUND, STREAMS, ExpiredError
from service.openapi import Responses, problems
from service.parameters import ExperimentPath, SweepPath
from service.routers.experiments import unknown
from service.routers.sweeps import unknown_sweep
from service.services import AppServices

router = APIRouter(prefix="/v1")

_RESUME = "Id of the last event that was received: the stream goes on after it."
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,15}-[0-9]{1,6}(\.end)?$", description=_RESUME)
]
LastCounts = Annotated[
    str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,9}(-[0-9]{1,9}){5}(\.end)?$", description=_RESUME)
]
Seconds = Annotated[
    float | None,
    Query(ge=0.0, allow_inf_nan=False, description="Longest time of this connection; the server has a limit too."),
]
_STREAM: Responses = {
    200: {"description": "Events with JSON objects as data. `reconnect` ends the connection, `end` the whole."},
    204: {"description": "Last-Event-ID names the final event: nothing follows."},
}


async def _place(services: AppServices, caller: CurrentCaller) -> AsyncIterator[None]:
    """One of the streams that may be open, from before the first byte until the connection is closed."""
    settings = services.settings
    services.streams.enter(caller.user, settings.max_streams, settings.max_user_streams)
    try:
        yield
    finally:
        services.streams.leave(caller.user)


_PLACE = Depends(_place)


async def _followed(
    services: AppServices, caller: CurrentCaller, experiment_id: ExperimentPath, last_event_id: LastEventId = None
) -> Followed:
    """The first reading, before the stream begins: what is wrong is answered as a problem."""
    found = await services.store.run(follow(experiment_id, streaming.place_of(last_event_id)))
    if found.record is None:
        raise unknown(experiment_id)
    if found.record.expired:
        raise ExpiredError("The experiment has succeeded and its result is no longer kept: nothing more happens.")
    if (last_event_id or "").endswith(streaming.END) and found.record.status.terminal and not found.entries:
        raise streaming.NothingFollowsError
    return found


@router.get(
    "/experiments/{experiment_id:experiment}/events",
    operation_id="follow_experiment",
    tags=["experiments"],
    response_class=EventSourceResponse,
    dependencies=[_PLACE],
    responses={**_STREAM, **problems(NOT_FOUND, EXPIRED, INVALID_PARAMETER, STREAMS, open_to_all=False)},
)
async def follow_experiment(
    services: AppServices, experiment_id: ExperimentPath, found: Annotated[Followed, Depends(_followed)],
    last_event_id: LastEventId = None, seconds: Seconds = None,
) -> AsyncIterable[ServerSentEvent]:  # fmt: skip
    """Events of an experiment: `status`, `progress` and `log` as they happen, `end` at last, always.

    A connection that breaks, or that a `reconnect` event ends, is resumed by `Last-Event-ID` without loss. Earlier
    events are told first, as far as they are kept (the last 500 or so, for a day after the end).
    """
    async for event in streaming.experiment_events(services, experiment_id, last_event_id, found, seconds):
        yield event


async def _followed_sweep(
    services: AppServices, caller: CurrentCaller, sweep_id: SweepPath, last_event_id: LastCounts = None
) -> SweepRecord:
    record = await services.store.run(sweeps.read(sweep_id))
    if record is None:
        raise unknown_sweep(sweep_id)
    if (last_event_id or "").endswith(streaming.END):
        counts = await services.store.run(sweeps.counts(sweep_id))
        if counts is not None and counts.status.terminal and last_event_id == streaming.mark(counts) + streaming.END:
            raise streaming.NothingFollowsError
    return record


@router.get(
    "/sweeps/{sweep_id:sweep}/events",
    operation_id="follow_sweep",
    tags=["sweeps"],
    response_class=EventSourceResponse,
    dependencies=[_PLACE],
    responses={**_STREAM, **problems(NOT_FOUND, INVALID_PARAMETER, STREAMS, open_to_all=False)},
)
async def follow_sweep(
    services: AppServices, sweep_id: SweepPath, record: Annotated[SweepRecord, Depends(_followed_sweep)],
    last_event_id: LastCounts = None, seconds: Seconds = None,
) -> AsyncIterable[ServerSentEvent]:  # fmt: skip
    """Events of a sweep: `progress` with the counts whenever they have changed, `end` at last, always."""
    async for event in streaming.sweep_events(services, record, last_event_id, seconds):
        yield event
