"""Microphone, camera and screen of one person on stage. Steps without a transaction of their own."""

from datetime import datetime

from streams.models import MutedBy, Participant
from streams.services.provider.participant_sync import participant_sync_put
from streams.services.stage.seats import MEDIA_FIELDS


def flags_set_by_oneself(person: Participant, *, wanted: dict[str, bool], now: datetime) -> list[str]:
    """Set the given flags and return the kinds that changed. Lifting a host's mute is synced with the provider."""
    changed, lifted = [], False
    for kind, on in wanted.items():
        if kind == "screen":
            if person.screen_sharing == on:
                continue
            if on and person.screen_stopped:
                person.screen_stopped, lifted = False, True
            person.screen_sharing = on
        else:
            if getattr(person, f"{kind}_muted") != on:
                continue
            lifted = lifted or getattr(person, f"{kind}_muted_by") == MutedBy.HOST
            setattr(person, f"{kind}_muted", not on)
            setattr(person, f"{kind}_muted_by", "" if on else MutedBy.SELF)
        changed.append(str(kind))
    if changed:
        person.save(update_fields=MEDIA_FIELDS)
    if lifted:
        participant_sync_put(person=person, now=now)
    return changed


def flags_set_by_host(person: Participant, *, kind: str, now: datetime) -> bool:
    """Mute a participant's microphone, camera or screen at the server. Return whether anything changed.

    A kind that the participant had already turned off is now held off by the server, too.
    """
    if kind == "screen":
        if person.screen_stopped and not person.screen_sharing:
            return False
        person.screen_sharing, person.screen_stopped = False, True
    else:
        if getattr(person, f"{kind}_muted_by") == MutedBy.HOST:
            return False
        setattr(person, f"{kind}_muted", True)
        setattr(person, f"{kind}_muted_by", MutedBy.HOST)
    person.save(update_fields=MEDIA_FIELDS)
    participant_sync_put(person=person, now=now)
    return True
