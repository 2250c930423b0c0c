"""A whole database as JSON text, and back: the committed data sets of older formats, and comparing two servers.

Values are latin-1 texts, so that any bytes survive; streams keep their ids. Types are those of keys.py.
"""

from __future__ import annotations

from typing import Any

import redis

Dump = dict[str, dict[str, Any]]


def dump(client: redis.Redis) -> Dump:
    """Every key of a database: its type, its value, its seconds to live (-1: for ever)."""
    return {_text(name): _dump_one(client, name) for name in sorted(client.keys("*"))}


def load(client: redis.Redis, found: Dump) -> None:
    """Writes what `dump` has read."""
    for name, entry in found.items():
        _load_one(client, name.encode("latin-1"), entry["type"], entry["value"])
        if entry["ttl"] >= 0:
            client.expire(name.encode("latin-1"), entry["ttl"])


def _dump_one(client: redis.Redis, name: bytes) -> dict[str, Any]:
    kind = client.type(name).decode()
    value: Any
    match kind:
        case "string":
            value = _text(client.get(name))
        case "hash":
            value = {_text(field): _text(text) for field, text in sorted(client.hgetall(name).items())}
        case "list":
            value = [_text(text) for text in client.lrange(name, 0, -1)]
        case "set":
            value = sorted(_text(text) for text in client.smembers(name))
        case "zset":
            value = [[_text(member), score] for member, score in client.zrange(name, 0, -1, withscores=True)]
        case "stream":
            value = [[_text(id), {_text(k): _text(v) for k, v in fields.items()}] for id, fields in client.xrange(name)]
        case _:
            raise ValueError(kind)
    return {"type": kind, "ttl": client.ttl(name), "value": value}


def _load_one(client: redis.Redis, name: bytes, kind: str, value: Any) -> None:
    match kind:
        case "string":
            client.set(name, _raw(value))
        case "hash":
            client.hset(name, mapping={_raw(field): _raw(text) for field, text in value.items()})
        case "list":
            client.rpush(name, *map(_raw, value))
        case "set":
            client.sadd(name, *map(_raw, value))
        case "zset":
            client.zadd(name, {_raw(member): score for member, score in value})
        case "stream":
            for id, fields in value:
                client.xadd(name, {_raw(k): _raw(v) for k, v in fields.items()}, id=_raw(id))
        case _:
            raise ValueError(kind)


def _text(value: Any) -> str:
    return value.decode("latin-1")


def _raw(value: str) -> bytes:
    return value.encode("latin-1")
