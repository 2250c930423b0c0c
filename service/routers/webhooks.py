"""What the caller's webhooks are signed with."""

from __future__ import annotations

from fastapi import APIRouter

from service.auth import Member
from service.errors import ForbiddenError
from service.openapi import problems
from service.schemas import WebhookSecret
from service.services import AppServices
from service.webhooks.signing import shown, user_key

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.get("/secret", operation_id="get_webhook_secret", responses=problems(open_to_all=False))
async def get_webhook_secret(services: AppServices, caller: Member) -> WebhookSecret:
    """The caller's own secret: verify with it that a POST came from this server (see standardwebhooks.com)."""
    secret = services.settings.webhook_secret
    if not services.settings.webhooks or secret is None:
        raise ForbiddenError("Webhooks are off on this server.")
    return WebhookSecret(secret=shown(user_key(secret.get_secret_value(), caller.user)))
