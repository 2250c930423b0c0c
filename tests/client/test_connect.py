"""Which server, which token."""

from __future__ import annotations

from pathlib import Path

import pytest

from initshape.client import connect
from initshape.supervisor.place import Place, default_data_dir


def token_of(client: object) -> str | None:
    header = client._http._client.headers.get("Authorization")  # type: ignore[attr-defined]
    return header.removeprefix("Bearer ") if header else None


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A server that runs here: this process plays it."""
    found = Place(tmp_path / "data")
    found.create()
    found.announce("http://127.0.0.1:4321")
    found.token.write_text("initshape_here\n")
    return found


@pytest.mark.parametrize("spelled", [Path, str])  # a notebook writes a string
def test_the_server_of_the_data_directory(place: Place, spelled: type) -> None:
    with connect(data_dir=spelled(place.data_dir), environment={}) as client:
        assert client.url == "http://127.0.0.1:4321"
        assert token_of(client) == "initshape_here"


def test_the_local_token_goes_to_no_other_server(place: Place) -> None:
    with connect("http://elsewhere:8000", data_dir=place.data_dir, environment={}) as client:
        assert token_of(client) is None


def test_the_environment_names_server_and_token(place: Place) -> None:
    environment = {"INITSHAPE_URL": "http://elsewhere:8000/", "INITSHAPE_TOKEN": "initshape_there"}
    with connect(data_dir=place.data_dir, environment=environment) as client:
        assert client.url == "http://elsewhere:8000"
        assert token_of(client) == "initshape_there"


def test_a_server_that_has_died_is_not_announced(place: Place) -> None:
    place.server.write_text('{"url": "http://127.0.0.1:4321", "pid": 999999999}')
    with connect(data_dir=place.data_dir, environment={}) as client:
        assert client.url == "http://127.0.0.1:8000"
        assert token_of(client) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": 1}'])
def test_a_broken_announcement_is_none(place: Place, text: str) -> None:
    place.server.write_text(text)
    assert place.announced() is None


def test_private_files(place: Place) -> None:
    assert place.data_dir.stat().st_mode & 0o777 == 0o700
    assert place.server.stat().st_mode & 0o777 == 0o600
    place.withdraw()
    place.withdraw()
    assert place.announced() is None


def test_default_data_directory() -> None:
    assert default_data_dir({"INITSHAPE_DATA_DIR": "/a"}) == Path("/a")
    assert default_data_dir({"XDG_DATA_HOME": "/b"}) == Path("/b/initshape")
    assert default_data_dir({}) == Path.home() / ".local/share/initshape"
