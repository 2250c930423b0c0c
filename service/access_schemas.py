"""Bodies about callers, tokens and the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from initshape.store.tokens import USER, Role
from service.schemas import Answer

LONGEST_LIFE = 10 * 366 * 86_400


class LimitsView(Answer):
    """What a user may ask for; null: any number."""

    reads_per_second: float | None
    writes_per_second: float | None
    active_jobs: Annotated[int | None, Field(description="Jobs that wait or run.")]
    stored_bytes: Annotated[int | None, Field(description="Of results and uploads.")]


class UsageView(Answer):
    """What is used now."""

    active_jobs: int
    stored_bytes: int


class Me(Answer):
    """The caller."""

    user: str
    role: Role
    token: Annotated[str | None, Field(description="Label of the token; null with authentication off.")]
    limits: LimitsView
    usage: UsageView


class NewToken(BaseModel):
    """What to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: Annotated[str, Field(pattern=USER, examples=["ada"])]
    role: Annotated[Role, Field(description="reader: reads; member: submits, too; admin: everything.")] = Role.member
    label: Annotated[str, Field(max_length=100, pattern=r"^[ -~]*$", description="What it is for.")] = ""
    expires_seconds: Annotated[
        int | None, Field(ge=1, le=LONGEST_LIFE, description="Until it ends by itself; null: never.")
    ] = None


class TokenView(Answer):
    """A token without the token."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
    user: str
    role: Role
    label: str
    created: datetime
    expires: datetime | None
    last_used: Annotated[datetime | None, Field(description="To the minute.")]


class TokenMade(TokenView):
    """A new token."""

    token: Annotated[str, Field(description="Keep it: it is shown this once.")]


class TokenList(Answer):
    """By user, then by age."""

    items: tuple[TokenView, ...]


class AuditLine(Answer):
    """One line: who did what to what."""

    id: str
    at: datetime
    user: Annotated[str | None, Field(description="Null for a caller without a valid token.")]
    token: Annotated[str | None, Field(description="Id and label of the token.")]
    request_id: str | None
    action: str
    object: str | None
    outcome: str


class AuditLines(Answer):
    """Newest first. Ask again with `cursor=next` for older ones; null at the end."""

    items: tuple[AuditLine, ...]
    next: str | None
