"""Where a provider identifies people by numbers, the room gets those of the people on stage, and of nobody else."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from livestream.actors import SYSTEM, actor_of
from livestream.errors import Conflict
from livestream.realtime.groups import room_group
from providers.interface import MediaRole
from streams.models import MediaUid
from streams.room_snapshot import RoomParts, room_load
from streams.selectors import stage_of
from streams.services.show.provider_failover import session_provider_switch
from streams.services.stage.participation import stage_demote, stage_promote
from streams.services.stage.seats import stage_notify
from tests.cast import let_in, make_show, make_user
from tests.providers.setups import stand_in_of
from tests.streams.test_stage import on_stage
from tokens.account_revocation import account_tokens_revoke
from tokens.services import agora_token_issue, media_token_issue


@pytest.fixture
def agora(settings):
    with stand_in_of("agora", settings) as server:
        yield server


@pytest.fixture
def stage(agora, ada, ben):
    """Ada's show at Agora with Ben on stage; Ada publishes already."""
    session = make_show(ada, provider="agora")
    number_of(session, ada, MediaRole.PUBLISHER)
    return on_stage(session, ben)


def number_of(session, user, role=MediaRole.SUBSCRIBER):
    return media_token_issue(session_id=session.pk, actor=actor_of(user), role=role).uid


def told_of(session):
    """Return the numbers that an entering socket gets, by username."""
    people = room_load(session.pk, RoomParts()).common["participants"]
    return {person["user"]["username"]: person.get("media_uid") for person in people}


def changes(told, session):
    return [event["data"] for event in told[room_group(session.pk)] if event["type"] == "stage.changed"]


def test_whoever_comes_on_stage_comes_with_the_number_that_their_token_will_have(stage, ada, cleo, heard):
    let_in(stage, cleo)

    with heard(room_group(stage.pk)) as told:
        stage_promote(session_id=stage.pk, actor=actor_of(ada), user_id=cleo.pk)
    (change,) = changes(told, stage)

    (seat,) = [person for person in change["participants"] if person["user"]["username"] == "cleo"]
    assert seat["media_uid"] == number_of(stage, cleo, MediaRole.PUBLISHER)


def test_a_viewer_keeps_the_number_on_stage_and_is_nobodys_business_before(stage, ada, cleo):
    watching = number_of(stage, cleo)
    assert "cleo" not in told_of(stage)
    assert watching not in str(room_load(stage.pk, RoomParts()).common)

    on_stage(stage, cleo)

    assert told_of(stage)["cleo"] == watching


def test_the_number_of_the_host_is_told_when_there_is_one_and_only_then(agora, ada, cleo, heard):
    session = make_show(ada, provider="agora")
    assert told_of(session)["ada"] is None

    with heard(room_group(session.pk)) as told:
        number_of(session, cleo)  # a viewer gets the host's number
        host = number_of(session, ada, MediaRole.PUBLISHER)
        number_of(session, ada, MediaRole.PUBLISHER)
    (change,) = changes(told, session)

    assert change["change"] == {"user": str(ada.pk), "what": "number", "by": None}
    assert change["participants"][0]["media_uid"] == host == told_of(session)["ada"]


def test_a_number_that_somebody_on_stage_asked_for_is_told(stage, ben, heard):
    with heard(room_group(stage.pk)) as told:
        for _ in range(2):
            agora_token_issue(channel=stage.channel_id, actor=actor_of(ben), role=MediaRole.PUBLISHER, uid=7)
    (change,) = changes(told, stage)

    assert change["change"] == {"user": str(ben.pk), "what": "number", "by": None}
    assert told_of(stage)["ben"] == "7"


def test_a_number_that_is_refused_changes_nothing(stage, ben, cleo, heard):
    agora_token_issue(channel=stage.channel_id, actor=actor_of(cleo), role=MediaRole.SUBSCRIBER, uid=7)
    before = told_of(stage)

    with heard(room_group(stage.pk)) as told, pytest.raises(Conflict):
        agora_token_issue(channel=stage.channel_id, actor=actor_of(ben), role=MediaRole.PUBLISHER, uid=7)

    assert (changes(told, stage), told_of(stage)) == ([], before)


def test_nobody_hears_of_a_number_in_the_audience(stage, cleo, heard):
    let_in(stage, cleo)

    with heard(room_group(stage.pk)) as told:
        agora_token_issue(channel=stage.channel_id, actor=actor_of(cleo), role=MediaRole.SUBSCRIBER, uid=7)

    assert changes(told, stage) == []


def test_back_on_stage_one_has_the_same_number(stage, ada, ben):
    before = told_of(stage)["ben"]
    stage_demote(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)
    assert "ben" not in told_of(stage)

    on_stage(stage, ben)

    assert told_of(stage)["ben"] == before is not None


def test_the_number_after_a_new_password_is_told(stage, ben, heard, django_capture_on_commit_callbacks):
    before = number_of(stage, ben, MediaRole.PUBLISHER)
    with django_capture_on_commit_callbacks(execute=True):
        account_tokens_revoke(ben.pk, timezone.now())

    with heard(room_group(stage.pk)) as told:
        after = number_of(stage, ben, MediaRole.PUBLISHER)

    assert [change["change"]["what"] for change in changes(told, stage)] == ["number"]
    assert told_of(stage)["ben"] == after != before


def test_where_people_are_known_by_their_ids_nothing_is_said(agora, ada, ben, show):
    on_stage(show, ben)

    assert all("media_uid" not in person for person in stage_of(show.pk))


def test_the_numbers_of_a_provider_that_the_show_has_left_are_not_told(stage, ada, ben):
    assert told_of(stage)["ben"]

    session_provider_switch(session_id=stage.pk, actor=SYSTEM, provider="builtin")

    assert all("media_uid" not in person for person in stage_of(stage.pk))
    assert MediaUid.objects.filter(session=stage, user=ben).exists()


def test_the_list_of_people_tells_no_numbers(api, stage, ada, cleo):
    number_of(stage, cleo)

    listed = api(ada).get(f"/api/v1/sessions/{stage.pk}/participants/").json()["results"]

    assert len(listed) == 2
    assert all("media_uid" not in person for person in listed)


def test_the_numbers_of_thirty_cost_as_many_queries_as_those_of_two(stage, django_assert_num_queries):
    with CaptureQueriesContext(connection) as alone:
        room_load(stage.pk, RoomParts())
    for number in range(1, 29):
        person = make_user()
        let_in(stage, person, role="guest")
        MediaUid.objects.create(session=stage, user=person, number=number, given_at=timezone.now())

    with django_assert_num_queries(len(alone)):
        people = room_load(stage.pk, RoomParts()).common["participants"]

    assert sum("media_uid" in person for person in people) == 30


@pytest.mark.parametrize("guests", [1, 19])
def test_telling_of_a_full_stage_costs_no_more_queries(stage, guests, django_assert_max_num_queries):
    on_stage(stage, *(make_user() for _ in range(guests)))

    with django_assert_max_num_queries(6):
        stage_notify(session_id=stage.pk, user_id=None, what="muted", by=None, now=timezone.now())
