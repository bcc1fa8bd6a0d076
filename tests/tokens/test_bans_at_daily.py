"""Daily bans a user id while a meeting lasts; a person who may return gets another number."""

import pytest

from accounts.services import password_set
from livestream.actors import actor_of
from streams.services.people.removal import participant_readmit
from streams.services.people.viewers import viewer_invite
from streams.services.stage.invitations import guest_invite
from tests.cast import let_in, make_show, make_user
from tests.circuits import circuits_forget
from tests.providers.stand_ins.server import Refused
from tests.tokens.rooms import PUBLISH, issue, kick

pytestmark = pytest.mark.django_db


@pytest.fixture
def show(daily, ada, ben, django_capture_on_commit_callbacks):
    daily.committing = django_capture_on_commit_callbacks
    session = make_show(ada, provider="daily")
    let_in(session, ben)
    return session


def may_enter(daily, made):
    return (made.channel_id, made.uid) not in daily.banned


def test_a_new_password_locks_its_owner_out_of_nothing(daily, show, ada):
    before = issue(show, ada, PUBLISH)

    with daily.committing(execute=True):
        password_set(user_id=ada.pk, password="another correct horse 8")
    ada.refresh_from_db()
    after = issue(show, ada, PUBLISH)

    assert not may_enter(daily, before)
    assert may_enter(daily, after)
    assert after.details["host_uid"] == after.uid


def test_who_was_removed_and_is_let_in_again_gets_in(daily, show, ada, ben):
    before = issue(show, ben)
    with daily.committing(execute=True):
        kick(show, ada, ben)

    viewer_invite(session_id=show.pk, actor=actor_of(ada), username=ben.username)
    after = issue(show, ben)

    assert not may_enter(daily, before)
    assert may_enter(daily, after)


def let_in_by_the_staff(show, ada, ben, staff):
    participant_readmit(session_id=show.pk, actor=actor_of(staff), user_id=ben.pk)


def let_in_by_name(show, ada, ben, staff):
    viewer_invite(session_id=show.pk, actor=actor_of(ada), username=ben.username)


def invited_on_stage(show, ada, ben, staff):
    guest_invite(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)


@pytest.mark.parametrize("way", [let_in_by_the_staff, let_in_by_name, invited_on_stage])
def test_who_is_let_in_again_gets_another_number_though_daily_did_not_answer(daily, show, ada, ben, way):
    issue(show, ben)
    answered = daily.answer

    def lost(method, path, headers, body):
        answered(method, path, headers, body)
        raise Refused(503)

    daily.answer = lost
    with daily.committing(execute=True):
        kick(show, ada, ben)
    daily.answer = answered
    circuits_forget()
    way(show, ada, ben, make_user(is_staff=True))

    assert may_enter(daily, issue(show, ben))
