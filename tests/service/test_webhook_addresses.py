"""Which addresses webhooks may go to."""

from __future__ import annotations

import asyncio

import pytest

from service.webhooks.address import RefusedError, is_public, resolve


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2002:808:808::1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
                "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "::", "::1", "fe80::1",
                "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
                "2002:a00:1::1", "2002:7f00:1::", "2001:db8::1"],
)  # fmt: skip
def test_all_others(address: str) -> None:
    assert not is_public(address)


def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(addresses: list[str], private: bool) -> list[str]:
        async def answer(*_: object, **__: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (address, 443)) for address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer, raising=False)
        return await resolve("lab.example.org", 443, private)

    both = ["8.8.8.8", "127.0.0.1"]
    assert asyncio.run(look_up(["8.8.8.8", "8.8.8.8"], False)) == ["8.8.8.8"]
    assert asyncio.run(look_up(both, True)) == both
    for addresses in (both, []):
        with pytest.raises(RefusedError):
            asyncio.run(look_up(addresses, False))
    with pytest.raises(RefusedError):
        asyncio.run(resolve("no-such-host.invalid", 443, False))
