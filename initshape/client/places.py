"""Where things are on a server, by their ids."""

from __future__ import annotations

from urllib.parse import quote


def is_sweep(id: str) -> bool:
    """Sweep ids start with s-, experiment ids with x-."""
    return id.startswith("s-")


def path_of(id: str) -> str:
    """Of an experiment or a sweep."""
    return f"/v1/{'sweeps' if is_sweep(id) else 'experiments'}/{quote(id, safe='')}"


def upload_path(id: str) -> str:
    """Of a data set or an initialization."""
    return f"/v1/{'inits' if id.startswith('i-') else 'datasets'}/{quote(id, safe='')}"
