"""Many simultaneous changes of one stage: the limit holds, and no seat is lost."""

import random

import pytest

from livestream.actors import SYSTEM, actor_of
from livestream.errors import DomainError
from streams.models import GuestRequest, Participant, SessionEvent, SessionSettings, StreamSession
from streams.permissions import standing_of
from streams.services.people.removal import participant_kick
from streams.services.people.viewers import viewer_enter, viewer_join, viewers_left
from streams.services.stage.guest_requests import guest_request_approve, guest_request_make
from streams.services.stage.participation import stage_leave, stage_mute_all, stage_promote
from tests.cast import let_in, make_show, make_user
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def seated(session):
    return Participant.objects.filter(session=session, status="active", role__in=("cohost", "guest")).count()


def assert_exact(session, cap):
    """Assert that the number, the rows and every event agree, and none exceeds the limit."""
    told = list(SessionEvent.objects.filter(session=session, type="stage.changed").order_by("seq"))
    assert StreamSession.objects.get(pk=session.pk).guest_count == seated(session) <= cap
    for event in told:
        assert event.data["guest_count"] == len(event.data["participants"]) - 1 <= cap
    assert told[-1].data["guest_count"] == seated(session)
    seqs = list(SessionEvent.objects.filter(session=session).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))


def codes(results):
    """Count each refusal; anything but a domain error is a bug."""
    refusals = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, DomainError) for error in refusals), refusals
    return {code: sum(error.code == code for error in refusals) for code in {error.code for error in refusals}}


def requests_made(session, number):
    people = [make_user() for _ in range(number)]
    for user in people:
        let_in(session, user)
    return people, [guest_request_make(session_id=session.pk, actor=actor_of(user))[0] for user in people]


@pytest.mark.parametrize("cap", [1, 20])
def test_a_hundred_approvals_at_the_same_instant_fill_the_seats_exactly(ada, mo, cap):
    session = make_show(ada, settings_changes={"max_guests": cap})
    _, requests = requests_made(session, 100 if cap == 20 else 30)
    moderating = [actor_of(ada), actor_of(mo)]

    results = at_once(
        len(requests),
        lambda i: guest_request_approve(session_id=session.pk, request_id=requests[i].pk, actor=moderating[i % 2]),
    )

    assert codes(results) == {"stage.full": len(requests) - cap}
    assert seated(session) == cap
    assert_exact(session, cap)


def test_without_approval_who_comes_first_gets_the_seats(ada):
    session = make_show(ada, settings_changes={"max_guests": 5, "require_approval": False})
    people = [make_user() for _ in range(30)]

    results = at_once(30, lambda i: guest_request_make(session_id=session.pk, actor=actor_of(people[i])))

    assert codes(results) == {"stage.full": 25}
    assert GuestRequest.objects.filter(status="approved").count() == 5 == GuestRequest.objects.count()
    assert_exact(session, 5)


def test_coming_going_and_being_removed_at_once_loses_no_seat(ada):
    cap = 10
    session = make_show(ada, settings_changes={"max_guests": cap})
    people, requests = requests_made(session, 40)
    for user in people[:10]:
        stage_promote(session_id=session.pk, actor=SYSTEM, user_id=user.pk)
    host = actor_of(ada)

    def reconnect(user):
        viewers_left(session.pk, [user.pk])
        standing = standing_of(actor=actor_of(user), session_id=session.pk)
        return viewer_enter(session_id=session.pk, user_id=user.pk, standing=standing)

    acts = [lambda u=u: stage_leave(session_id=session.pk, actor=actor_of(u)) for u in people[:4]]
    acts += [lambda u=u: participant_kick(session_id=session.pk, actor=host, user_id=u.pk) for u in people[4:7]]
    acts += [lambda u=u: reconnect(u) for u in people[7:15]]
    acts += [
        lambda r=r: guest_request_approve(session_id=session.pk, request_id=r.pk, actor=host) for r in requests[10:]
    ]
    acts += [lambda: stage_mute_all(session_id=session.pk, actor=host, kind="audio") for _ in range(3)]
    random.Random(4).shuffle(acts)

    refused = codes(at_once(len(acts), lambda i: acts[i]()))

    assert set(refused) <= {"stage.full", "request.answered", "stage.not_here"}
    assert_exact(session, cap)
    for request in requests[15:]:  # pending requests get all of the free seats, and no more
        try:
            guest_request_approve(session_id=session.pk, request_id=request.pk, actor=host)
        except DomainError as error:
            assert error.code == "stage.full"
    assert seated(session) == cap
    assert_exact(session, cap)


def test_one_request_approved_fifty_times_is_one_seat(ada):
    session = make_show(ada)
    _, (request,) = requests_made(session, 1)

    results = at_once(
        50, lambda _: guest_request_approve(session_id=session.pk, request_id=request.pk, actor=actor_of(ada)).status
    )

    assert results == ["approved"] * 50
    assert SessionEvent.objects.filter(session=session, type="stage.changed").count() == 1
    assert_exact(session, 20)


def test_asking_fifty_times_at_once_is_one_request(ada, ben, monkeypatch):
    monkeypatch.setattr("streams.services.stage.guest_requests.ASKED_PER_MINUTE", 100)
    session = make_show(ada)
    let_in(session, ben)

    results = at_once(50, lambda _: guest_request_make(session_id=session.pk, actor=actor_of(ben)))

    assert sorted(fresh for _, fresh in results) == [False] * 49 + [True]
    assert len({request.pk for request, _ in results}) == 1


def test_the_room_never_holds_more_than_it_may_while_people_are_let_on_stage(ada):
    session = make_show(ada, settings_changes={"max_participants": 15, "require_approval": False})
    people = [make_user() for _ in range(40)]

    results = at_once(
        40,
        lambda i: (
            guest_request_make(session_id=session.pk, actor=actor_of(people[i]))
            if i % 2
            else viewer_join(session_id=session.pk, actor=actor_of(people[i]))
        ),
    )

    assert set(codes(results)) <= {"session.full"}
    assert Participant.objects.filter(session=session, status="active").count() == 15
    assert_exact(session, 20)


def test_a_kick_while_somebody_comes_back_keeps_them_out(ada):
    session = make_show(ada)
    people = [make_user() for _ in range(10)]
    for user in people:
        let_in(session, user, status="left")
    host = actor_of(ada)

    def act(index):
        user = people[index // 2]
        if index % 2:
            return participant_kick(session_id=session.pk, actor=host, user_id=user.pk)
        return viewer_join(session_id=session.pk, actor=actor_of(user))

    refused = codes(at_once(20, act))

    assert set(refused) <= {"session.kicked"}
    assert set(Participant.objects.filter(user__in=people).values_list("status", flat=True)) == {"kicked"}


def test_the_settings_of_the_cap_are_read_when_the_seat_is_taken(ada):
    session = make_show(ada)
    _, requests = requests_made(session, 2)
    SessionSettings.objects.update(max_guests=1)

    results = at_once(
        2, lambda i: guest_request_approve(session_id=session.pk, request_id=requests[i].pk, actor=actor_of(ada))
    )

    assert codes(results) == {"stage.full": 1}
