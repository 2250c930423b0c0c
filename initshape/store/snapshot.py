"""A consistent copy of everything that a Redis server holds, taken over the network while it goes on working.

It is what a replica receives at first: the server forks, and sends its memory of that one moment in its own file format
(RDB). Works for the embedded server and for one elsewhere, and needs no access to its files.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import redis

from initshape.store.connection import connect
from initshape.store.errors import StoreError, StoreUnavailableError
from initshape.store.settings import StoreSettings

SILENCE_SECONDS: Final = 60.0
"""While it prepares the copy the server sends a sign of life every few seconds."""
_PIECE: Final = 1 << 20


class SnapshotError(StoreError):
    """The server does not send a copy, or not all of it."""


def take(settings: StoreSettings, path: Path, on_bytes: Callable[[bytes], Any] = len) -> int:
    """Writes the copy to a file, and hands every piece to `on_bytes` as well. Answers its size in bytes.

    Errors: StoreUnavailableError, SnapshotError.
    """
    client = connect(settings)
    try:
        connection: Any = client.connection_pool.get_connection()
        try:
            connection.connect()
            connection.send_command("SYNC")
            sock: socket.socket = connection._sock  # what comes is no reply that the client could parse
            sock.settimeout(SILENCE_SECONDS)
            with sock.makefile("rb") as answer, path.open("wb") as file:
                return _copy(answer, _length(answer), file, on_bytes)
        finally:
            connection.disconnect()
    except (redis.exceptions.RedisError, OSError) as error:
        raise StoreUnavailableError(f"Redis does not send its data: {error}") from error
    finally:
        client.close()


def _length(answer: BinaryIO) -> int:
    while True:
        line = answer.readline(1024)
        if line == b"\n":
            continue  # a sign of life
        text = line.decode("latin-1").strip()
        if not text.startswith("$") or not text[1:].isdigit():
            raise SnapshotError(f"The server refuses to send its data: {text[:200] or 'it closed the connection'}")
        return int(text[1:])


def _copy(answer: BinaryIO, length: int, file: BinaryIO, on_bytes: Callable[[bytes], Any]) -> int:
    left = length
    while left:
        piece = answer.read(min(_PIECE, left))
        if not piece:
            raise SnapshotError(f"{left} of {length} bytes are missing: the server stopped sending.")
        on_bytes(piece)
        file.write(piece)
        left -= len(piece)
    return length
