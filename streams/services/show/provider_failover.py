"""Switching a session to another provider, by the host or because the current one does not respond."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor
from livestream.errors import Conflict
from livestream.events import publish
from livestream.identifiers import channel_name
from providers.interface import Capability
from providers.registry import provider_named
from streams.events import SettingsChanged
from streams.models import AuditEntry, SessionType, StreamSession, Visibility
from streams.payloads import session_payload
from streams.permissions import require_host
from streams.selectors import session_get
from streams.services.provider.room_cleanup import room_close_deliver, room_close_put
from streams.services.show.sequence import event_record
from streams.signals import provider_switched
from streams.state import OVER

logger = logging.getLogger(__name__)


def require_fit(*, provider: str, visibility: str, session_type: str = "") -> None:
    """Require a provider that suits the session. Raises Invalid for an unknown one, otherwise Conflict.

    Without `session_type`, any way of publishing is accepted.
    """
    capabilities = provider_named(provider).capabilities
    if visibility == Visibility.PRIVATE and Capability.PRIVATE_SHOWS not in capabilities:
        raise Conflict(
            "provider.not_private", f"{provider} can't limit who watches. Choose another provider for a private show."
        )
    if session_type not in ("", SessionType.ENCODER) and Capability.BROWSER_PUBLISHES not in capabilities:
        raise Conflict(
            "provider.no_browser",
            f"{provider} only supports encoders. Choose another provider to go live from the browser.",
        )
    if session_type == SessionType.ENCODER and Capability.ENCODER_PUBLISHES not in capabilities:
        raise Conflict("provider.no_encoder", f"{provider} doesn't support encoders. Choose another provider.")


def channel_renew(*, session: StreamSession, now: datetime) -> None:
    """Invalidate everything issued so far for the session's room; part of a transaction.

    The built-in node refuses tokens issued before its room was closed; elsewhere the session gets a new channel.
    """
    room_close_put(session=StreamSession.objects.get(pk=session.pk), now=now)  # it may have moved since it was read
    if session.provider != "builtin":
        StreamSession.objects.filter(pk=session.pk).update(channel_id=channel_name())
    provider_switched.send(sender=StreamSession, session_id=session.pk, now=now)


def session_provider_switch(*, session_id: UUID, actor: Actor, provider: str) -> StreamSession:
    """Switch to another provider (host or system). Switching to the current one changes nothing.

    All tokens are revoked, and the room gets another channel, so nothing issued before opens it. Clients receive
    `settings.changed` with `provider` and request a new token.
    """
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    if session.provider == provider:
        return session
    require_fit(provider=provider, visibility=session.visibility, session_type=session.session_type)
    if session.guest_count and Capability.STAGE not in provider_named(provider).capabilities:
        raise Conflict(
            "provider.no_stage", f"{provider} doesn't support guests. Remove your guests from the stage first."
        )
    now = timezone.now()
    with transaction.atomic():
        if not _swap(session, provider=provider, now=now):
            raise Conflict("session.busy", "Someone else is changing this show. Try again.", retry_after=1)
        room_close_put(session=session, now=now)
        moved = session_get(session_id)
        provider_switched.send(sender=StreamSession, session_id=session_id, now=now)
        AuditEntry.objects.create(
            session_id=session_id,
            actor_id=actor.user_id,
            action="session.provider",
            details={"from": session.provider, "to": provider},
            created_at=now,
        )
        data = {"session": session_payload(moved, now=now), "changed": ["provider"]}
        seq = event_record(session_id=session_id, wire_name=SettingsChanged.wire_name, data=data, now=now)
        publish(SettingsChanged(session_id=session_id, at=now, seq=seq, data=data))
    room_close_deliver(provider=session.provider, channel_id=session.channel_id)
    logger.info("provider switched session=%s from=%s to=%s", session_id, session.provider, provider)
    return moved


def _swap(session: StreamSession, *, provider: str, now: datetime) -> bool:
    reports_presence = Capability.HOST_PRESENCE in provider_named(provider).capabilities
    was_present = session.host_lease_at is not None
    unchanged = StreamSession.objects.filter(
        pk=session.pk, provider=session.provider, channel_id=session.channel_id, state=session.state
    )
    return (
        unchanged.update(
            provider=provider,
            channel_id=channel_name(),
            host_lease_at=session.host_lease_at if reports_presence else None,
            host_lost_at=now if reports_presence and was_present else None,
            stage_slots={},
        )
        == 1
    )
