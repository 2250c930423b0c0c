"""Which addresses the server may call: none of this machine or network, unless the operator says so.

A name is resolved once, every address that it has is checked, and the connection goes to a checked address: a name that
answers something else the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from initshape.spec.problem import InitshapeError, ProblemError, SpecError
from initshape.spec.webhook import Webhook
from service.settings import Settings, is_loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedError(InitshapeError):
    """The address is not one that the server calls, or there is none."""


def check(settings: Settings, webhook: Webhook | None) -> None:
    """What can be told at submission. Errors: SpecError where webhooks are off, or the host is plainly not public."""
    if webhook is None:
        return
    if not settings.webhooks:
        problem = ProblemError(
            pointer="/webhook", value=webhook.url, hint="webhooks are off on this server: leave it out"
        )
        raise SpecError("The server sends no webhooks.", (problem,))
    host = urlsplit(webhook.url).hostname or ""
    if not settings.webhook_private and not _may_be_public(host):
        hint = "the server calls public addresses only"
        raise SpecError("The webhook leads to a private address.",
                        (ProblemError(pointer="/webhook/url", value=webhook.url, hint=hint),))  # fmt: skip


async def resolve(host: str, port: int, private: bool) -> list[str]:
    """The checked addresses of the host. Errors: RefusedError where one of them is not public, or there is none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedError("the host has no address") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise RefusedError("the host has no address")
    if not private and not all(is_public(address) for address in addresses):
        raise RefusedError("the host has an address that is not public")
    return list(dict.fromkeys(addresses))


def is_public(address: str) -> bool:
    """Whether an address, and the one inside it, if it carries one, is of the public internet."""
    own = ipaddress.ip_address(address.partition("%")[0])
    return all(
        one.is_global and not (one.is_multicast or one.is_reserved or one.is_unspecified)
        for one in (own, *_inside(own))
    )


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 one stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [one for one in found if one is not None]


def _may_be_public(host: str) -> bool:
    if is_loopback(host):
        return False
    try:
        return is_public(host)
    except ValueError:
        return True  # a name: it is resolved when it is called
