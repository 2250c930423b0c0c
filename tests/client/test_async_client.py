"""The client for asyncio against a real server with a real worker."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from test_client import EXPERIMENT, SWEEP, UNKNOWN

from initshape.client import AsyncClient, Client, RejectedError, UnknownIdError, UnreachableError, connect_async

T = TypeVar("T")


@pytest.fixture
def talk(data_dir: Path) -> Callable[[Callable[[AsyncClient], Awaitable[T]]], T]:
    """Runs a coroutine with a client."""

    def run(conversation: Callable[[AsyncClient], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with connect_async(data_dir=data_dir, environment={}) as client:
                return await conversation(client)

        return asyncio.run(whole())

    return run


def test_many_at_once_and_the_same_answers(talk: Any, client: Client) -> None:
    documents = []
    for seed in range(201, 205):
        document = copy.deepcopy(EXPERIMENT)
        document["experiment"]["dataset"]["seed"] = seed
        documents.append(document)

    async def conversation(other: AsyncClient) -> tuple[Any, ...]:
        jobs = await asyncio.gather(*map(other.submit, documents))
        ended = await asyncio.gather(*(other.wait(job.id, timeout=120) for job in jobs))
        states = [state async for state in other.updates(jobs[0].id)]
        arrays = await other.arrays(jobs[0].id)
        listed = [job.id async for job in other.experiments(limit=4)]
        return jobs, ended, states, arrays["w_flow"], await other.result(jobs[0].id), listed

    jobs, ended, states, weights, result, listed = talk(conversation)
    assert {state["outcome"] for state in ended} == {"converged"}
    assert states[-1].over
    assert (weights == client.arrays(jobs[0].id)["w_flow"]).all()
    assert result == client.result(jobs[0].id)
    assert result.typed.comparisons[0].regularizer == "implicit"
    assert set(listed) == {job.id for job in jobs}


def test_a_sweep_and_mistakes(talk: Any, client: Client) -> None:
    async def conversation(other: AsyncClient) -> Any:
        sent = await other.submit_sweep(SWEEP)
        await other.wait(sent.id, timeout=60)
        for call, error in ((other.status(UNKNOWN), UnknownIdError), (other.submit({"sweep": {}}), RejectedError)):
            with pytest.raises(error):
                await call
        return await other.table(sent.id)

    assert talk(conversation) == client.table(client.submit_sweep(SWEEP).id)


def test_an_unavailable_server_is_asked_again() -> None:
    answers, waits = [503, 429, 200], []

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(answers.pop(0), headers={"Retry-After": "3"}, json={"id": "x-a", "status": "queued"})

    async def nap(seconds: float) -> None:
        waits.append(seconds)

    async def conversation() -> None:
        client = AsyncClient("http://127.0.0.1:1", transport=httpx2.MockTransport(handler))
        client._http._sleep = nap
        assert (await client.status("x-a"))["status"] == "queued"
        await client.close()
        with pytest.raises(UnreachableError):
            async with AsyncClient("http://127.0.0.1:1", patience=0.0) as nobody:
                await nobody.status("x-a")

    asyncio.run(conversation())
    assert waits == [3.0, 3.0]
