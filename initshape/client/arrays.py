"""The arrays of a result: fetched when one is looked at, each decoded when it is wanted, and kept."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray


class Arrays(Mapping[str, NDArray[Any]]):
    """Arrays by name; `fetch` brings them all, once. Errors: those of `fetch`, at the first look."""

    def __init__(self, fetch: Callable[[], Mapping[str, NDArray[Any]]]) -> None:
        self._fetch = fetch
        self._decoded: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._decoded:
            if name not in self._all:
                raise KeyError(f"{name}: the arrays are {', '.join(self._all)}")
            self._decoded[name] = self._all[name]
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"Arrays({', '.join(self._all)})" if "_all" in self.__dict__ else "Arrays(not fetched yet)"

    @cached_property
    def _all(self) -> Mapping[str, NDArray[Any]]:
        return self._fetch()


def from_npz(data: bytes) -> Mapping[str, NDArray[Any]]:
    """The arrays of an .npz; each is decoded when it is asked for."""
    return cast(NpzFile, np.load(io.BytesIO(data), allow_pickle=False))
