"""Rows of every model, in any number, each with people and a session of its own."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Group

from accounts.models import User
from chat.models import ChatMessage, ReadMarker
from livestream.models import OutboxTask
from streams import models as streams
from tokens.models import IssuedToken

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANARY = "c4n4ry" + "0" * 50


def make_rows(start: int, count: int) -> None:
    """Make `count` rows of every model, numbered from `start`."""
    for number in range(start, start + count):
        _make(number)


def _make(number: int) -> None:
    host, viewer = (User.objects.create_user(f"{name}{number}", password=None) for name in ("host", "viewer"))
    Group.objects.create(name=f"group {number}")
    session = session_of(host, title=f"Show {number}")
    _session_rows(session, host, viewer, number)
    _chat_rows(session, host, viewer, number)
    IssuedToken.objects.create(
        user=viewer,
        session=session,
        provider="builtin",
        token_hash=f"{CANARY}{number}",
        channel_id="c",
        uid="u",
        role="subscriber",
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )


def session_of(host: User, *, title: str = "Vintage lamps", **fields: object) -> streams.StreamSession:
    """Return a live session with everything that a service would have created."""
    live = {"state": "active", "started_at": NOW, "created_at": NOW, **fields}
    session = streams.StreamSession.objects.create(host=host, title=title, **live)
    streams.SessionSettings.objects.create(session=session)
    return session


def _session_rows(session: streams.StreamSession, host: User, viewer: User, number: int) -> None:
    streams.SessionTransition.objects.create(
        session=session, version=1, from_state="initializing", to_state="active", actor=host, created_at=NOW
    )
    streams.SessionEvent.objects.create(session=session, seq=1, type="session.changed", created_at=NOW)
    streams.Participant.objects.create(session=session, user=viewer, joined_at=NOW)
    streams.SessionModerator.objects.create(session=session, user=viewer, created_at=NOW)
    streams.GuestRequest.objects.create(
        session=session,
        user=viewer,
        status="rejected",
        responder=host,
        message="May I?",
        created_at=NOW,
        expires_at=NOW,
    )
    streams.AuditEntry.objects.create(
        session=session, actor=host, target_user=viewer, action="stage.kick", created_at=NOW
    )
    streams.ProviderDelivery.objects.create(
        provider="builtin", delivery_id=str(number), type="publisher.lost", payload={}, received_at=NOW
    )
    streams.JanitorLease.objects.create(name=f"sweep-{number}", holder="x", until=NOW)
    streams.MediaUid.objects.create(session=session, user=viewer, number=number + 1, given_at=NOW)
    streams.ProviderRoom.objects.create(
        session=session, provider="daily", channel_id=session.channel_id, details={"url": "u"}, claimed_at=NOW
    )
    OutboxTask.objects.create(
        kind="media.room", key=f"livekit:{number}", target="livekit", created_at=NOW, due_at=NOW, last_error="503"
    )
    streams.MediaResource.objects.create(
        name=f"resource-{number}",
        session=session,
        user=viewer,
        provider="whip",
        channel_id=session.channel_id,
        uid=str(viewer.pk),
        role="subscriber",
        url=f"https://media.example/{CANARY}",
        token_hash=f"{CANARY}{number}",
        created_at=NOW,
    )
    streams.ProviderHealth.objects.create(
        provider=f"one-{number}", state="open", reason="Timeout", failures=5, process="p", changed_at=NOW
    )


def message_in(session: streams.StreamSession, user: User, *, seq: int = 3, content: str = "hello") -> ChatMessage:
    """Return a stored message."""
    return ChatMessage.objects.create(
        session=session,
        seq=seq,
        client_id=str(seq),
        user=user,
        username=user.username,
        display_name=user.shown_name,
        role="viewer",
        content=content,
        created_at=NOW,
    )


def _chat_rows(session: streams.StreamSession, host: User, viewer: User, number: int) -> None:
    message = message_in(session, viewer)
    ChatMessage.objects.filter(pk=message.pk).update(removed_at=NOW, removed_by=host)
    ReadMarker.objects.create(session=session, user=viewer, seq=3)
