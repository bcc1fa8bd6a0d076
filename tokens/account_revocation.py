"""A new password revokes the person's tokens and disconnects their running media."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from livestream.outbox import outbox_deliver, outbox_handler, outbox_put
from providers.interface import Revocation
from providers.registry import provider_named
from streams.models import StreamSession
from streams.services.provider.gateway_connections import connections_end
from streams.services.provider.provider_rooms import room_ref
from streams.services.provider.uids import held_uids, uid_retire
from streams.state import OPEN
from tokens.models import IssuedToken
from tokens.services import tokens_revoke, tokens_valid

KIND = "media.revoked"


def account_tokens_revoke(user_id: UUID, now: datetime) -> int:
    """Revoke all of a person's tokens and disconnect media opened with them, after a password change. Return how many
    were valid.

    Tokens issued meanwhile are not visible before this transaction commits, so they are revoked after the commit.
    """
    transaction.on_commit(partial(_look_again, user_id), robust=True)  # registered first: others wait for a provider
    return _revoke(user_id, now)


def _look_again(user_id: UUID) -> None:
    now = timezone.now()
    with transaction.atomic():
        if tokens_valid(now).filter(user_id=user_id).exists():
            _revoke(user_id, now)


def _revoke(user_id: UUID, now: datetime) -> int:
    """Revoke tokens and schedule the disconnection. Expired tokens count too, because a connection may outlive its
    token."""
    given = IssuedToken.objects.filter(user_id=user_id, session__state__in=OPEN)
    sessions = given.order_by("session_id").values_list("session_id", "session__provider").distinct()
    keys = [_cut_put(session_id, user_id, provider, now) for session_id, provider in sessions]
    revoked = tokens_revoke(IssuedToken.objects.filter(user_id=user_id), now)
    transaction.on_commit(partial(outbox_deliver, kind=KIND, keys=keys), robust=True)
    return revoked


def _cut_put(session_id: UUID, user_id: UUID, provider: str, now: datetime) -> str:
    """Schedule the disconnection and retire the uid: the provider may block the old one, so the owner returns with
    another."""
    key = f"{session_id}:{user_id}"
    if provider in settings.PROVIDERS and provider_named(provider).revocation is not Revocation.EXPIRES:
        uid_retire(session_id=session_id, user_id=user_id, now=now)
        payload = {"session": str(session_id), "user": str(user_id)}
        outbox_put(kind=KIND, key=key, target=provider, payload=payload, now=now)
    return key


@outbox_handler(KIND)
def _cut(payload: dict[str, Any]) -> None:
    """Disconnect a person from the media of one session, for all uids with a revoked token.

    Where the provider removes by uid, a uid with a new token is spared: joining replaces the old connection.
    """
    session = StreamSession.objects.filter(pk=payload["session"], state__in=OPEN).first()
    if session is None or session.provider not in settings.PROVIDERS:
        return
    user_id, now = UUID(payload["user"]), timezone.now()
    theirs = IssuedToken.objects.filter(session_id=session.pk, user_id=user_id, channel_id=session.channel_id)
    revoked = set(theirs.filter(revoked_at__isnull=False).values_list("uid", flat=True))
    provider = provider_named(session.provider)
    if provider.revocation is Revocation.REMOVES:
        revoked -= set(tokens_valid(now).filter(pk__in=theirs).values_list("uid", flat=True))
    for uid in held_uids(session=session, user_id=user_id, now=now):
        if uid in revoked and not connections_end(room=room_ref(session), provider=session.provider, uid=uid):
            provider.remove(room=room_ref(session), uid=uid)
