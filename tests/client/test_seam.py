"""The transport is the one seam: the same client talks to an app in this process."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from initshape.client import Client, UnknownIdError
from initshape.store import StoreSettings
from service.app import create_app
from service.settings import Settings


def test_the_app_in_this_process(settings: StoreSettings) -> None:
    app = create_app(Settings(redis_url=settings.url, redis_password=settings.password, auth=False))
    with TestClient(app) as host, Client("http://localhost", transport=host._transport) as client:
        with pytest.raises(UnknownIdError):
            client.status("x-" + "a" * 26)
        assert list(client.experiments()) == []
