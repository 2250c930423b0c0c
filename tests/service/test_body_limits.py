"""How large a body may be: to the byte, whether or not its size is announced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from initshape.store import Store

LIMIT = 4096
JSON, YAML = "application/json", "application/yaml"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
@pytest.mark.parametrize(
    ("media", "size", "large"),
    [(JSON, LIMIT, False), (JSON, LIMIT + 1, True), (YAML, LIMIT // 2, False), (YAML, LIMIT // 2 + 1, True)],
)
def test_a_body_has_a_limit(
    store: Store, start: Callable[..., Any], announced: bool, media: str, size: int, large: bool
) -> None:
    server = start(store.settings, auth=False, max_body=LIMIT, max_yaml=LIMIT // 2)
    body = b"{}" + b" " * (size - 2)
    content: Any = body if announced else iter([body[:100], body[100:]])
    with httpx2.Client(base_url=server.url, trust_env=False) as client:
        answer = client.post("/v1/experiments/validate", content=content, headers={"Content-Type": media})
    assert answer.status_code == (413 if large else 422), answer.text
