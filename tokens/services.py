"""Handing out media tokens: checked against the holder's standing, remembered by hash, revoked with the session."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from livestream.actors import Actor
from livestream.errors import Conflict, Denied, NotAuthenticated
from livestream.identifiers import connection_name
from streams.permissions import Standing, require_view
from streams.providers.base import JoinDescriptor, MediaRole, PersonRef
from streams.providers.registry import provider_named
from streams.selectors import session_get
from streams.services.credentials import Lost
from streams.services.rooms import room_ref
from streams.state import OVER
from tokens.models import IssuedToken

KEEP_EXPIRED = timedelta(days=1)


def media_token_issue(*, session_id: UUID, actor: Actor, role: MediaRole) -> JoinDescriptor:
    """A join descriptor for a role that the actor holds. Nobody in particular may watch what is not private.

    Raises Denied for a role the actor does not hold, Conflict once the session is over.
    """
    now = timezone.now()  # before the standing is read: who is put out meanwhile has a token from before that
    session = session_get(session_id)
    standing = require_view(actor=actor, session=session)
    if session.state in OVER:  # first: everybody has left the stage of a show that is over, its host too
        raise Conflict("session.ended", "This show is over.")
    if role == MediaRole.PUBLISHER:
        _require_publisher(actor, standing)
    person = PersonRef(
        uid=str(actor.user_id) if actor.user_id else f"anon:{connection_name()}",
        name=actor.display_name or "Guest",
        stage=str(standing.role) if standing.can_publish else "",
    )
    descriptor = provider_named(session.provider).join(
        room=room_ref(session), person=person, role=role, is_admin=standing.is_host, now=now
    )
    IssuedToken.objects.create(
        user_id=actor.user_id,
        session_id=session_id,
        provider=descriptor.provider,
        token_hash=token_hash(descriptor.token),
        channel_id=descriptor.channel_id,
        uid=descriptor.uid,
        role=role.value,
        privileges=privileges_of(descriptor),
        created_at=now,
        expires_at=descriptor.expires_at,
    )
    return descriptor


def _require_publisher(actor: Actor, standing: Standing) -> None:
    if actor.user_id is None:
        raise NotAuthenticated()
    if not standing.can_publish:
        raise Denied("token.role_not_held", "Only the host and guests on stage may send video.")


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def privileges_of(descriptor: JoinDescriptor) -> dict[str, bool]:
    """The privileges that a token carries."""
    return {
        "can_publish": descriptor.can_publish,
        "can_subscribe": descriptor.can_subscribe,
        "can_admin": descriptor.can_admin,
    }


def session_tokens_revoke(session_id: UUID, now: datetime) -> int:
    """Mark every token of a session that is still good as revoked; how many. The provider refuses them by itself."""
    good = IssuedToken.objects.filter(session_id=session_id, revoked_at__isnull=True, expires_at__gt=now)
    return good.update(revoked_at=now)


def person_tokens_revoke(session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> int:
    """Mark one person's tokens of a session that are still good as revoked: all, or those to publish with; how many."""
    good = IssuedToken.objects.filter(
        session_id=session_id, user_id=user_id, revoked_at__isnull=True, expires_at__gt=now
    )
    if lost == Lost.PUBLISHING:
        good = good.filter(role=MediaRole.PUBLISHER.value)
    return good.update(revoked_at=now)


def tokens_forget(*, now: datetime) -> int:
    """Delete tokens that ran out a while ago; how many. They prove nothing any more."""
    deleted, _ = IssuedToken.objects.filter(expires_at__lt=now - KEEP_EXPIRED).delete()
    return deleted
