"""`Client`, `AsyncClient` and `Local` have the same methods, so that a notebook moves by changing one line."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from initshape.client import AsyncClient, Client, Local, NoServerError

DUNDERS = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
OF_A_SERVER: dict[str, tuple[str, ...]] = {
    "create_token": ("ada",), "tokens": (), "revoke_token": ("0" * 16,), "audit": (), "webhook_secret": (),
}  # fmt: skip
"""What means nothing without a server, with arguments."""


def methods(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def shape(function: Any) -> tuple[list[tuple[Any, ...]], str]:
    """Parameters with kinds, defaults and types, and what comes back once it is awaited."""
    signature = inspect.signature(function)
    parameters = [(p.name, p.kind, p.default, p.annotation) for p in signature.parameters.values()]
    return parameters, str(signature.return_annotation).removeprefix("Async")


@pytest.mark.parametrize("other", [AsyncClient, Local])
def test_the_same_methods(other: type) -> None:
    assert methods(other).keys() == methods(Client).keys()
    for name, method in methods(Client).items():
        assert shape(methods(other)[name]) == shape(method), name
        assert methods(other)[name].__doc__, name


def test_what_is_awaited() -> None:
    for name, method in methods(AsyncClient).items():
        iterates = str(inspect.signature(method).return_annotation).startswith("AsyncIterator")
        assert inspect.iscoroutinefunction(method) != iterates, name


def test_what_only_a_server_has_is_refused_without_one() -> None:
    local = Local()
    for name, arguments in OF_A_SERVER.items():
        with pytest.raises(NoServerError, match="ask a server"):
            getattr(local, name)(*arguments)
    refusing = {name for name, method in methods(Local).items() if "_no_server" in method.__code__.co_names}
    assert refusing == OF_A_SERVER.keys()


def test_context_managers() -> None:
    for name, awaited in DUNDERS.items():
        assert hasattr(Client, name)
        assert hasattr(Local, name)
        assert hasattr(AsyncClient, awaited)
