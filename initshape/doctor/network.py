"""The address of the API."""

from __future__ import annotations

import errno
import json
import socket
import urllib.error
import urllib.request
from typing import Final

from initshape.doctor.finding import Finding, fail, ok, warn

_SECONDS: Final = 3.0


def check(url: str | None, host: str, port: int) -> list[Finding]:
    """A server that is announced has to be ready; where there is none, its port has to be free."""
    return [_ready(url)] if url is not None else [_free(host, port)]


def _ready(url: str) -> Finding:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health/ready", timeout=_SECONDS):
            return ok("api", f"{url} is ready")
    except urllib.error.HTTPError as error:
        return fail("api", f"{url}: {_detail(error)}", "See the other findings, and the log of the API.")
    except (urllib.error.URLError, OSError, ValueError) as error:
        return fail("api", f"{url} does not answer: {error}", "See the log of the API, logs/api.log.")


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(error)


def _free(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                mend = "Stop it, or choose another port: initshape serve --port."
                return warn("port", f"another program listens on {host} port {port}", mend)
            return fail("port", f"{host} port {port}: {error.strerror}", "Choose another: --host, --port.")
    return ok("port", f"{host} port {port} is free")
