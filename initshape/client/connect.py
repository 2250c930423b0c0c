"""The server at hand: what the environment names, else the one that this user runs on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from initshape.client.async_client import AsyncClient
from initshape.client.client import Client
from initshape.supervisor.place import Place, default_data_dir

DEFAULT_URL = "http://127.0.0.1:8000"


def connect(
    url: str | None = None,
    *,
    data_dir: str | Path | None = None,
    patience: float = 10.0,
    environment: Mapping[str, str] | None = None,
) -> Client:
    """A client for `url`, else INITSHAPE_URL, else the server of the data directory, else port 8000 here.

    The token is INITSHAPE_TOKEN, else the one in the data directory, which goes only to the server that runs there.
    """
    return Client(*_at_hand(url, data_dir, environment), patience=patience)


def connect_async(
    url: str | None = None,
    *,
    data_dir: str | Path | None = None,
    patience: float = 10.0,
    environment: Mapping[str, str] | None = None,
) -> AsyncClient:
    """The same server, for asyncio."""
    return AsyncClient(*_at_hand(url, data_dir, environment), patience=patience)


def _at_hand(
    url: str | None, data_dir: str | Path | None, environment: Mapping[str, str] | None
) -> tuple[str, str | None]:
    given = os.environ if environment is None else environment
    place = Place(Path(data_dir) if data_dir else default_data_dir(given))
    running = place.announced()
    here = running.url if running else None
    address = (url or given.get("INITSHAPE_URL") or here or DEFAULT_URL).rstrip("/")
    return address, given.get("INITSHAPE_TOKEN") or (place.read_token() if address == here else None)
