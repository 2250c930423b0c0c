"""How a connection to Redis over TLS is checked, for redis-py and for Celery, and what is said where there is none.

The certificate must be valid, signed by the given authority (default: those of the system) and name the host of the
address. kombu checks nothing for a bare rediss:// address, so it is always told.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

Plaintext = Literal["warn", "allow", "refuse"]
"""What to do about redis:// to another machine; allow is for a network that is private by other means."""
PLAINTEXT: Final = "INITSHAPE_REDIS_PLAINTEXT"


@dataclass(frozen=True)
class Tls:
    """PEM files: the authority that signed the server's certificate; certificate and key of this client, if asked."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Tls:
        """INITSHAPE_REDIS_CA, INITSHAPE_REDIS_CERT and INITSHAPE_REDIS_KEY."""
        names = ("INITSHAPE_REDIS_CA", "INITSHAPE_REDIS_CERT", "INITSHAPE_REDIS_KEY")
        return cls(*(Path(found) if (found := environment.get(name)) else None for name in names))

    def check(self) -> None:
        """Raises ValueError where a file is missing, or one of certificate and key is given without the other."""
        for file in (self.ca, self.certificate, self.key):
            if file is not None and not file.is_file():
                raise ValueError(f"{file} is not there: a file of INITSHAPE_REDIS_CA, _CERT or _KEY.")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("INITSHAPE_REDIS_CERT and INITSHAPE_REDIS_KEY belong together.")

    def arguments(self) -> dict[str, Any]:
        """For redis-py's connections, which kombu's are too."""
        files = {"ssl_ca_certs": self.ca, "ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        given = {name: str(file) for name, file in files.items() if file is not None}
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, **given}


def is_encrypted(url: str) -> bool:
    """Whether an address is spoken to over TLS."""
    return urlsplit(url).scheme == "rediss"


def check_address(url: str, tls: Tls) -> None:
    """Raises ValueError for options in the address that would undo the checks, and for files that are missing."""
    undone = [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True) if name.startswith("ssl")]
    if undone:
        raise ValueError(f"{undone[0]} in the address of Redis: set INITSHAPE_REDIS_CA instead; checks are never off.")
    tls.check()


def plaintext_remark(url: str, plaintext: str = "warn") -> str | None:
    """What an operator should hear about an address: the password and all data go in the clear to another machine.

    Raises ValueError with that text for `refuse`, and for a policy that is none.
    """
    if plaintext not in get_args(Plaintext):
        raise ValueError(f"{PLAINTEXT} is one of {', '.join(get_args(Plaintext))}, not {plaintext!r}.")
    host = urlsplit(url).hostname
    if plaintext == "allow" or urlsplit(url).scheme != "redis" or host is None or _is_this_machine(host):
        return None
    remark = (
        f"Redis on {host} is reached without TLS: whoever is on the way reads the password and everything else. "
        f"Use rediss:// with INITSHAPE_REDIS_CA, or set {PLAINTEXT}=allow where the network is private by other means."
    )
    if plaintext == "refuse":
        raise ValueError(remark)
    return remark


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
