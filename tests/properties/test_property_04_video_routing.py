"""Property 4 of the design, as far as the web side holds it: what everybody is given to receive the host with."""

import itertools

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from livestream.actors import ANONYMOUS, SYSTEM, actor_of
from livestream.errors import DomainError
from media_node.grants import grant_verify
from providers.base import MediaRole
from streams.models import Participant
from streams.room import RoomParts, room_load
from streams.services.people.viewers import viewer_join, viewer_leave
from streams.services.show.sessions import session_end, session_pause, session_resume
from streams.services.stage.participation import stage_demote, stage_leave, stage_promote
from streams.services.stage.removal import participant_ban, participant_kick
from streams.services.stage.slots import slots_note
from tests.cast import make_show, make_user
from tokens.services import media_token_issue

pytestmark = pytest.mark.django_db

PEOPLE = 4
ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["join", "join", "leave", "promote", "promote", "demote", "off", "kick", "ban", "pause", "resume", "slots"]
        ),
        st.integers(0, PEOPLE - 1),
    ),
    max_size=14,
)


def act(session, host, people, what, which, versions):
    """One thing happens, or is refused."""
    user, pk = people[which], session.pk
    given = {"session_id": pk, "actor": SYSTEM, "user_id": user.pk}
    try:
        match what:
            case "join":
                viewer_join(session_id=pk, actor=actor_of(user))
            case "leave":
                viewer_leave(session_id=pk, actor=actor_of(user))
            case "promote":
                stage_promote(**given)
            case "demote":
                stage_demote(**given)
            case "off":
                stage_leave(session_id=pk, actor=actor_of(user))
            case "kick":
                participant_kick(**given)
            case "ban":
                participant_ban(**given)
            case "pause":
                session_pause(session_id=pk, actor=actor_of(host))
            case "resume":
                session_resume(session_id=pk, actor=actor_of(host))
            case "slots":
                slots_note(session_id=pk, data=tables(host, next(versions) - which))
    except DomainError:
        pass


def tables(host, version):
    entry = {"index": 0, "user": str(host.pk), "source": "camera"}
    audio = {"index": 0, "user": str(host.pk)}
    return {"v": version, "epoch": "e", "stage": [entry], "speakers": [entry], "audio": [audio]}


def grant_of(session, actor, role):
    """The grant somebody gets, or the code of the refusal."""
    try:
        descriptor = media_token_issue(session_id=session.pk, actor=actor, role=role)
    except DomainError as error:
        return error.code
    return descriptor, grant_verify(token=descriptor.token, secret=settings.MEDIA_SECRET)


@given(acts=ACTS)
def test_property_04_everybody_who_may_watch_is_given_the_way_to_the_host(acts):
    """Feature: streaming-realtime-fixes, Property 04: video routing."""
    host, people = make_user(), [make_user() for _ in range(PEOPLE)]
    session = make_show(host)
    versions = itertools.count(10, 4)
    latest = None
    for what, which in acts:
        act(session, host, people, what, which, versions)
        slots = room_load(session.pk, RoomParts()).common["slots"]
        if slots:
            assert latest is None or slots["v"] >= latest["v"]
            assert slots["speakers"][0] == {"index": 0, "user": str(host.pk), "source": "camera"}
            latest = slots
        rows = dict(Participant.objects.filter(session=session).values_list("user", "status"))
        roles = dict(Participant.objects.filter(session=session, status="active").values_list("user", "role"))
        for person in [None, host, *people]:
            actor = actor_of(person) if person else ANONYMOUS
            status = rows.get(actor.user_id)
            watching = grant_of(session, actor, MediaRole.SUBSCRIBER)
            if status in ("kicked", "banned"):
                assert watching == f"session.{status}"
                continue
            descriptor, grant = watching
            stage = roles.get(actor.user_id, "viewer").replace("viewer", "")
            assert (grant.session, grant.role, grant.stage) == (str(session.pk), "subscriber", stage)
            assert descriptor.url.endswith(f"/whep/{session.pk}")
            publishing = grant_of(session, actor, MediaRole.PUBLISHER)
            assert (publishing[1].stage == stage) if stage else isinstance(publishing, str)


@given(acts=ACTS)
def test_property_04_nobody_is_given_a_way_into_a_show_that_is_over(acts):
    """Feature: streaming-realtime-fixes, Property 04: video routing."""
    host, people = make_user(), [make_user() for _ in range(PEOPLE)]
    session = make_show(host)
    versions = itertools.count(10, 4)
    for what, which in acts:
        act(session, host, people, what, which, versions)

    session_end(session_id=session.pk, actor=SYSTEM)

    assert room_load(session.pk, RoomParts()).common["slots"] == {}
    for person in [host, *people]:
        refusal = grant_of(session, actor_of(person), MediaRole.SUBSCRIBER)
        assert refusal in ("session.ended", "session.kicked", "session.banned")
