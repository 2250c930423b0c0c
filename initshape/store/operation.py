"""Store operations, written once for threads and for asyncio.

An operation is a generator: it yields rounds (lists of commands that go to Redis in one pipeline and do not depend on
each other), receives the replies, and returns its answer. `Store.run` and `AsyncStore.run` drive it; the operation
itself never touches a socket.

    def label(job_id: str) -> Operation[str]:
        (name,) = yield [("HGET", key("job", job_id), "name")]
        return name.decode()
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeAlias, TypeVar

from initshape.store.keys import lua_table

Value: TypeAlias = str | bytes | int | float
T = TypeVar("T")


@dataclass(frozen=True)
class Script:
    """A call of scripts/<name>.lua. The driver puts the clock (empty: Redis TIME) before the arguments."""

    name: str
    keys: tuple[str, ...] = ()
    args: tuple[Value, ...] = ()


Command: TypeAlias = Script | tuple[Value, ...]
Round: TypeAlias = Sequence[Command]
SHARED = ("clock.lua", "quota.lua", "library.lua")
"""What stands before every script."""
Operation: TypeAlias = Generator[Round, list[Any], T]


@cache
def source(name: str) -> str:
    """Text of a script: key names, shared functions, then the script itself."""
    folder = files("initshape.store") / "scripts"
    parts = (*SHARED, f"{name}.lua")
    return lua_table() + "".join(folder.joinpath(part).read_text() for part in parts)


@cache
def digest(name: str) -> str:
    """SHA-1 by which EVALSHA knows the script."""
    return sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def wire(command: Command, clock: str) -> tuple[Value, ...]:
    """The command as it goes over the wire."""
    if isinstance(command, Script):
        return ("EVALSHA", digest(command.name), len(command.keys), *command.keys, clock, *command.args)
    return command
