"""Which workers are alive: each renews its presence, and what is not renewed expires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from initshape.store.keys import key
from initshape.store.operation import Command, Operation
from initshape.store.queues import Queue

PRESENCE_SECONDS: Final = 5


@dataclass(frozen=True)
class Worker:
    """One worker process and what it said about itself."""

    name: str
    queue: Queue
    slots: int
    info: dict[str, str]


def announce(name: str, queue: Queue, slots: int, info: Mapping[str, str]) -> Operation[None]:
    """Says that a worker with so many child processes is there. Repeat well within PRESENCE_SECONDS."""
    (clock,) = yield [("TIME",)]
    until = int(clock[0]) * 1000 + PRESENCE_SECONDS * 1000
    members = [value for k in range(slots) for value in (until, f"{name}/{k}")]
    place = key("worker", name)
    told = [text for pair in {**info, "queue": queue.value, "slots": str(slots)}.items() for text in pair]
    commands: list[Command] = [
        ("ZADD", key("workers", queue.value), *members),
        ("HSET", place, *told),
        ("EXPIRE", place, PRESENCE_SECONDS),
    ]
    yield commands


def withdraw(name: str, queue: Queue, slots: int) -> Operation[None]:
    """Says that a worker has gone."""
    yield [
        ("ZREM", key("workers", queue.value), *(f"{name}/{k}" for k in range(slots))),
        ("UNLINK", key("worker", name)),
    ]


def slots_alive(queue: Queue) -> Operation[int]:
    """Number of child processes that may claim from a queue."""
    (clock,) = yield [("TIME",)]
    now = int(clock[0]) * 1000 + int(clock[1]) // 1000
    (number,) = yield [("ZCOUNT", key("workers", queue.value), now, "+inf")]
    return int(number)


def workers() -> Operation[list[Worker]]:
    """All workers that are alive, by name."""
    (clock,) = yield [("TIME",)]
    now = int(clock[0]) * 1000 + int(clock[1]) // 1000
    members = yield [("ZRANGEBYSCORE", key("workers", queue.value), now, "+inf") for queue in Queue]
    places = [
        (queue, name)
        for queue, found in zip(Queue, members, strict=True)
        for name in sorted({member.decode().rpartition("/")[0] for member in found})
    ]
    told = (yield [("HGETALL", key("worker", name)) for _, name in places]) if places else []
    result = []
    for (queue, name), raw in zip(places, told, strict=True):
        info = {field.decode(): value.decode() for field, value in raw.items()}
        result.append(Worker(name, queue, int(info.pop("slots", "0")), info))
    return sorted(result, key=lambda worker: worker.name)
