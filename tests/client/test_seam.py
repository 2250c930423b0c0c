"""The transport is the one seam: the same client talks to an app in this process."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from initshape.client import Client, Local, UnknownIdError
from initshape.store import StoreSettings
from service.app import create_app
from service.settings import Settings


def test_the_app_in_this_process(settings: StoreSettings) -> None:
    app = create_app(Settings(redis_url=settings.url, redis_password=settings.password, auth=False))
    with TestClient(app) as host, Client("http://localhost", transport=host._transport) as client:
        with pytest.raises(UnknownIdError):
            client.status("x-" + "a" * 26)
        assert list(client.experiments()) == []


def test_what_needs_no_job_is_the_same_with_and_without_a_server(settings: StoreSettings) -> None:
    document = {
        "model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.5},
        "points": [[1.0, -2.0]], "what": ["value", "gradient", "inverse"],
    }  # fmt: skip
    app = create_app(Settings(redis_url=settings.url, redis_password=settings.password, auth=False))
    with TestClient(app) as host, Client("http://localhost", transport=host._transport) as client:
        local = Local()
        assert client.catalog() == json.loads(json.dumps(local.catalog()))
        assert client.presets() == local.presets()
        assert client.evaluate(document) == local.evaluate(document)
