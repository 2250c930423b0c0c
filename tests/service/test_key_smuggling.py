"""Strings of users in Redis: whatever they hold, no key appears that keys.py does not declare."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initshape.store import Store, keys, tokens
from initshape.store.tokens import Role
from service.settings import Settings

HOSTILE = [
    "{initshape}:token", "}{x}", "a:b", "*", "?", "[a-z]", "a\nSET x 1\r\n", "\r\n*1\r\n$8\r\nFLUSHALL\r\n", "..",
    "../../etc", "%00", "%0d%0aFLUSHALL", "x" * 64, "\u202e", "\u00e9\u0301", "\U0001f600",
    "'; return redis.call('FLUSHALL') --", " ", "=0",
]  # fmt: skip
SEEDS = ("{initshape}:", "*", "\r\n", "\x01", ":", "..", "\u2028", "$", "-")
text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=64), st.lists(st.sampled_from(SEEDS)).map("".join))


def families(store: Store) -> dict[str, set[str]]:
    """What follows the family's name, by family; fails for a key of none."""
    found: dict[str, set[str]] = {}
    for raw in store.client.keys("*"):
        name = raw.decode()
        if name.startswith(("initshape-", "_kombu.binding", "unacked")):
            continue
        assert name.startswith(keys.ROOT), name
        family, _, rest = name.removeprefix(keys.ROOT).partition(":")
        assert family in keys.FAMILIES + keys.SINGLES, name
        assert (family in keys.SINGLES) is (rest == ""), name
        found.setdefault(family, set()).add(rest)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tag=text, name=text, key=text, seed=st.integers(0, 2**31 - 1))
def test_labels_and_headers(
    api: httpx2.Client, store: Store, document: Any, tag: str, name: str, key: str, seed: int
) -> None:
    document = {**document, "tags": [tag], "name": name, "notes": name + tag}
    document["experiment"]["dataset"]["seed"] = seed
    header = {"Idempotency-Key": key.encode("utf-8", "replace")} if not {"\r", "\n", "\0"} & set(key) else {}
    try:
        answer = api.post("/v1/experiments", json=document, headers=header)
    except (httpx2.LocalProtocolError, httpx2.RemoteProtocolError, httpx2.InvalidURL):
        return
    assert answer.status_code < 500 or answer.status_code == 503
    found = families(store)
    assert found.get("owner", set()) <= {"ada"}
    used = found.get("tag", set())
    if answer.status_code == 202:
        assert tag in used
    assert all(len(one) <= 64 for one in used)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=text)
def test_paths_and_queries_write_nothing(api: httpx2.Client, store: Store, words: str) -> None:
    before = set(store.client.keys("*"))
    for kind in ("experiments", "sweeps", "datasets", "inits"):
        for rest in ("", "/result", "/events", "/arrays/X.csv", "/cancel", "/rerun"):
            for method in ("GET", "POST", "DELETE") if rest in ("", "/cancel", "/rerun") else ("GET",):
                path = httpx2.URL(str(api.base_url)).copy_with(raw_path=f"/v1/{kind}/{quoted(words)}{rest}".encode())
                assert api.request(method, path).status_code < 500, (method, path)
    for query in ("owner", "tag", "cursor", "status", "limit"):
        assert api.get("/v1/experiments", params={query: words}).status_code < 500
    after = set(store.client.keys("*"))
    assert after - before <= {keys.PULSE.encode()}


def quoted(words: str) -> str:
    return quote(words.encode("utf-8", "surrogatepass"), safe="")


def test_users_with_odd_names(store: Store) -> None:
    """An admin makes the names; they are data all the same."""
    for name in HOSTILE:
        store.run(tokens.create(name, Role.reader))
    kept_by_the_server = {"pulse", "format"}  # once a second, whoever asks for what
    assert set(families(store)) - kept_by_the_server == {"token", "tokens"}


def test_settings_are_no_way_in() -> None:
    with pytest.raises(ValueError, match="checks are never off"):
        Settings(redis_url="rediss://h/0?ssl_cert_reqs=none")
