"""Redis over TLS on this machine: certificates made for the test, and two servers that speak it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis
import trustme

from initshape.store import StoreSettings
from initshape.store.binary import SETTING
from initshape.store.connection import connect
from initshape.store.tls import Tls


@dataclass
class Papers:
    """An authority and what it signs, as files."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority.cert_pem.write_to_path(self.ca)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, *names: str) -> tuple[Path, Path]:
        """Certificate and key for host names and addresses."""
        paper = self.authority.issue_cert(*names)
        certificate, key = self.folder / f"{names[0]}.pem", self.folder / f"{names[0]}.key"
        certificate.unlink(missing_ok=True)
        for blob in paper.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
        paper.private_key_pem.write_to_path(key)
        return certificate, key


class Terminator:
    """What stunnel or a load balancer does: TLS outside, plain bytes inside. `seen` is what came in, decrypted."""

    def __init__(
        self, target: int, certificate: Path, key: Path, *, clients: Path | None = None, host: str = "127.0.0.1"
    ):
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate, key)
        if clients is not None:
            self.context.load_verify_locations(clients)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.target = target
        self.seen = bytearray()
        self._socket = socket.create_server((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self._lines: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._stop: Callable[[], object] = lambda: None
        self._started = threading.Event()

    def __enter__(self) -> Terminator:
        self._thread.start()
        self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(10)

    async def _main(self) -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(lambda loop, context: None)  # handshakes that fail are what is tested
        self._stop = lambda: loop.call_soon_threadsafe(end.set)
        server = await asyncio.start_server(self._serve, sock=self._socket, ssl=self.context)
        self._started.set()
        await end.wait()
        server.close()
        for line in list(self._lines):
            line.transport.abort()
        await asyncio.sleep(0.02)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._lines |= {writer, inner_writer}
        await asyncio.gather(self._copy(reader, inner_writer, self.seen), self._copy(inner_reader, writer))
        self._lines -= {writer, inner_writer}

    @staticmethod
    async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, seen: bytearray | None = None) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while piece := await source.read(65_536):
                if seen is not None:
                    seen += piece
                sink.write(piece)
                await sink.drain()
        sink.close()


def server_with_tls() -> str | None:
    """A Redis or Valkey program that was built with TLS, from the setting or PATH; the one in the wheel is not."""
    for program in (os.environ.get(SETTING), "redis-server", "valkey-server"):
        path = program and shutil.which(program)
        if path and _speaks_tls(path):
            return path
    return None


def _speaks_tls(path: str) -> bool:
    asked = [
        "--port",
        "0",
        "--tls-port",
        "1",
        "--tls-cert-file",
        "/nowhere",
        "--tls-key-file",
        "/nowhere",
        "--tls-auth-clients",
        "no",
    ]
    done = subprocess.run([path, *asked], capture_output=True, text=True, timeout=20)
    return "/nowhere" in done.stdout + done.stderr and "Missing implement" not in done.stdout


@contextlib.contextmanager
def native(program: str, folder: Path, papers: Papers, password: str) -> Iterator[StoreSettings]:
    """A server that speaks TLS by itself and nothing else, and asks clients for certificates."""
    certificate, key = papers.issue("localhost")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = [
        "port 0", f"tls-port {port}", "bind 127.0.0.1", f"tls-cert-file {certificate}", f"tls-key-file {key}",
        f"tls-ca-cert-file {papers.ca}", "tls-auth-clients yes", f"requirepass {password}", f"dir {folder}",
        "appendonly yes", 'save ""',
    ]  # fmt: skip
    (folder / "tls.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([program, folder / "tls.conf"], stdout=subprocess.DEVNULL)
    own = papers.issue("client")
    settings = StoreSettings(f"rediss://localhost:{port}/0", password, tls=Tls(papers.ca, *own))
    client = connect(settings)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield settings
    finally:
        client.close()
        process.kill()
        process.wait()
