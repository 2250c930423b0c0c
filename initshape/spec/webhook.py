"""Where to tell that a submission has ended; per submitter, not part of the identity."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from initshape.spec.base import Spec
from initshape.spec.problem import CrossFieldError, problem


class Webhook(Spec):
    """A POST to `url` when the experiment, or the last cell of the sweep, has ended; at once where it has already.

    Signed as standardwebhooks.com says; the operator has to allow it (INITSHAPE_WEBHOOKS).
    """

    url: Annotated[
        str,
        Field(pattern="^https?://[!-~]+$", max_length=2000, description="http or https, without user or password."),
    ]

    @model_validator(mode="after")
    def _reachable(self) -> Webhook:
        try:
            parts = urlsplit(self.url)
            good = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and not parts.fragment
        except ValueError:
            good = False
        if not good:
            allowed = "https://HOST[:PORT]/PATH"
            raise CrossFieldError((problem("/url", self.url, allowed, "give host and path, no user and no fragment"),))
        return self
