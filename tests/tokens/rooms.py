"""Shows, people's credentials for them, and their rooms."""

from datetime import timedelta

from django.utils import timezone

from livestream.actors import actor_of
from providers.events import EventKind, MediaEvent
from providers.interface import MediaRole
from streams.selectors import session_get
from streams.services.people.removal import participant_kick
from streams.services.provider.media_events import media_event_apply
from tokens.services import media_token_issue

WATCH, PUBLISH = MediaRole.SUBSCRIBER, MediaRole.PUBLISHER


def issue(session, user, role=WATCH):
    return media_token_issue(session_id=session.pk, actor=actor_of(user), role=role)


def kick(session, host, user):
    participant_kick(session_id=session.pk, actor=actor_of(host), user_id=user.pk)


def channel(session):
    return session_get(session.pk).channel_id


def arrives(session, uid, *, seconds=0.0, publishes=False, channel_id=""):
    event = MediaEvent(
        id=f"event-{seconds}-{publishes}",
        type="participant_joined",
        kind=EventKind.JOINED,
        channel_id=channel_id or channel(session),
        uid=uid,
        at=timezone.now() + timedelta(seconds=seconds),
        publishes=publishes,
    )
    media_event_apply(provider=session.provider, event=event)
