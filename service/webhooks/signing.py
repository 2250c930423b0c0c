"""Signatures as of Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac


def user_key(secret: str, user: str) -> bytes:
    """The key of one user, derived from the server's secret: nobody can sign what goes to another."""
    return hmac.digest(secret.encode(), f"webhook\0{user}".encode(), hashlib.sha256)


def shown(key: bytes) -> str:
    """The key as libraries that verify take it."""
    return f"whsec_{base64.b64encode(key).decode()}"


def headers(key: bytes, message: str, seconds: int, body: bytes) -> dict[str, str]:
    """What goes with the body: `message` is the same in every attempt, `seconds` the time of this one."""
    digest = hmac.digest(key, f"{message}.{seconds}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
