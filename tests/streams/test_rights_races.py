"""A person loses a right in the instant in which they use it: the state under the lock counts, not the earlier one."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from livestream.actors import SYSTEM, actor_of
from livestream.errors import DomainError
from streams.models import AuditEntry, GuestRequest, Participant, SessionEvent
from streams.services.people.moderators import moderator_appoint, moderator_dismiss
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.stage.guest_requests import (
    guest_request_approve,
    guest_request_cancel,
    guest_request_make,
    guest_request_reject,
)
from streams.services.stage.invitations import guest_accept, guest_decline, guest_invite
from streams.services.stage.participation import (
    stage_demote,
    stage_leave,
    stage_media_set,
    stage_mute,
    stage_mute_all,
    stage_promote,
    stage_stop_screen,
    stage_unmute,
    stage_unseat,
)
from streams.services.stage.seats import stage_lock
from tests.cast import let_in, make_user
from tests.threads import at_once
from tests.transactions import atomic

pytestmark = pytest.mark.django_db(transaction=True)


def overtaken(session, change, deed):
    """Return the outcome of an action that waits for the session while the earlier `change` is not committed yet."""

    def attempt():
        try:
            deed()
        except DomainError as error:
            return error.code
        finally:
            connection.close()
        return "ok"

    with ThreadPoolExecutor(1) as pool:
        with atomic():
            stage_lock(session.pk)
            outcome = pool.submit(attempt)
            wait_for_a_waiter()
            change()
        return outcome.result(30)


def wait_for_a_waiter():
    """Wait until another connection waits for a lock. SQLite does not report it: a short pause has to do."""
    if connection.vendor != "postgresql":
        time.sleep(0.3)
        return
    until = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def stored(session):
    """Return all rows that an action could have changed."""
    people = Participant.objects.filter(session=session).order_by("pk").values_list("pk", "role", "status")
    guest_requests = GuestRequest.objects.filter(session=session).order_by("created_at").values_list("pk", "status")
    return list(people), list(guest_requests), SessionEvent.objects.count(), AuditEntry.objects.count()


@pytest.fixture
def stage(show, ben, cleo):
    """Ada's show: Ben is a co-host, Cleo a guest, a third person watches."""
    for user, steps in ((ben, 2), (cleo, 1)):
        let_in(show, user)
        for _ in range(steps):
            stage_promote(session_id=show.pk, actor=SYSTEM, user_id=user.pk)
    return show


ON_A_GUEST = {
    "mute": lambda **who: stage_mute(kind="audio", **who),
    "unmute": lambda **who: stage_unmute(kind="audio", **who),
    "stop": stage_stop_screen,
    "remove": stage_unseat,
    "demote": stage_demote,
    "kick": participant_kick,
    "ban": participant_ban,
}
ON_A_VIEWER = {"promote": stage_promote, "invite": guest_invite}
ON_A_GUEST_REQUEST = {"approve": guest_request_approve, "reject": guest_request_reject}
ON_ALL = {"mute all": lambda **who: stage_mute_all(kind="audio", **who)}


def the_deed(deed, stage, *, actor, guest):
    """Return an action on the stage, ready to be run."""
    viewer = make_user()
    let_in(stage, viewer)
    who = {"session_id": stage.pk, "actor": actor}
    if deed in ON_ALL:
        return lambda: ON_ALL[deed](**who)
    if deed in ON_A_GUEST:
        return lambda: ON_A_GUEST[deed](user_id=guest.pk, **who)
    if deed in ON_A_VIEWER:
        return lambda: ON_A_VIEWER[deed](user_id=viewer.pk, **who)
    if deed == "take back":
        invitation, _ = guest_invite(session_id=stage.pk, actor=actor, user_id=viewer.pk)
        return lambda: guest_request_cancel(request_id=invitation.pk, **who)
    guest_request, _ = guest_request_make(session_id=stage.pk, actor=actor_of(viewer))
    return lambda: ON_A_GUEST_REQUEST[deed](request_id=guest_request.pk, **who)


@pytest.mark.parametrize("deed", [*ON_A_GUEST, *ON_A_VIEWER, *ON_A_GUEST_REQUEST, *ON_ALL, "take back"])
def test_a_cohost_who_is_demoted_meanwhile_does_nothing_more(stage, ada, ben, cleo, deed):
    act = the_deed(deed, stage, actor=actor_of(ben), guest=cleo)

    def demote():
        stage_demote(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)
        after.append(stored(stage))

    after = []
    outcome = overtaken(stage, demote, act)

    assert outcome == ("stage.not_allowed" if deed == "take back" else "session.not_moderator")
    assert [stored(stage)] == after


def test_a_moderator_who_is_dismissed_meanwhile_does_nothing_more(stage, ada, cleo, eve):
    host = actor_of(ada)
    let_in(stage, eve)
    moderator_appoint(session_id=stage.pk, actor=host, user_id=eve.pk)

    outcome = overtaken(
        stage,
        lambda: moderator_dismiss(session_id=stage.pk, actor=host, user_id=eve.pk),
        lambda: participant_kick(session_id=stage.pk, actor=actor_of(eve), user_id=cleo.pk),
    )

    assert outcome == "session.not_moderator"
    assert Participant.objects.get(user=cleo).status == "active"


def test_a_cohost_who_is_removed_meanwhile_does_nothing_more(stage, ada, ben, cleo):
    outcome = overtaken(
        stage,
        lambda: participant_kick(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk),
        lambda: participant_ban(session_id=stage.pk, actor=actor_of(ben), user_id=cleo.pk),
    )

    assert outcome == "session.kicked"
    assert Participant.objects.get(user=cleo).status == "active"


@pytest.mark.parametrize("deed", ["ask", "take back", "accept", "decline", "leave", "media"])
def test_who_is_removed_meanwhile_does_nothing_for_themselves(stage, ada, cleo, deed):
    host = actor_of(ada)
    viewer = make_user()
    let_in(stage, viewer)
    me = cleo if deed in ("leave", "media") else viewer
    who = {"session_id": stage.pk, "actor": actor_of(me)}
    if deed == "take back":
        guest_request, _ = guest_request_make(**who)
    elif deed in ("accept", "decline"):
        guest_request, _ = guest_invite(session_id=stage.pk, actor=host, user_id=viewer.pk)
    acts = {
        "ask": lambda: guest_request_make(**who),
        "take back": lambda: guest_request_cancel(request_id=guest_request.pk, **who),
        "accept": lambda: guest_accept(request_id=guest_request.pk, **who),
        "decline": lambda: guest_decline(request_id=guest_request.pk, **who),
        "leave": lambda: stage_leave(**who),
        "media": lambda: stage_media_set(audio=False, **who),
    }

    outcome = overtaken(stage, lambda: participant_kick(session_id=stage.pk, actor=host, user_id=me.pk), acts[deed])

    assert outcome == "session.kicked"
    assert Participant.objects.get(user=me).status == "kicked"


def test_a_guest_who_becomes_a_cohost_meanwhile_is_spared_by_cohosts(stage, ada, ben, cleo):
    outcome = overtaken(
        stage,
        lambda: stage_promote(session_id=stage.pk, actor=actor_of(ada), user_id=cleo.pk),
        lambda: participant_kick(session_id=stage.pk, actor=actor_of(ben), user_id=cleo.pk),
    )

    assert outcome == "stage.not_allowed"
    assert Participant.objects.get(user=cleo).role == "cohost"


def test_of_twenty_deeds_at_the_instant_of_the_demotion_none_follows_it(stage, ada, ben):
    guests = [make_user() for _ in range(15)]
    for user in guests:
        let_in(stage, user)
        stage_promote(session_id=stage.pk, actor=SYSTEM, user_id=user.pk)
    cohost = actor_of(ben)
    acts = [lambda u=u: participant_kick(session_id=stage.pk, actor=cohost, user_id=u.pk) for u in guests]
    acts += [
        lambda k=k: stage_mute_all(session_id=stage.pk, actor=cohost, kind=k) for k in ("audio", "video", "screen")
    ]
    acts.insert(4, lambda: stage_demote(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk))

    results = at_once(len(acts), lambda i: acts[i]())

    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, DomainError) and error.code == "session.not_moderator" for error in refused), refused
    told = SessionEvent.objects.filter(session=stage, type="stage.changed").order_by("seq")
    changes = [event.data["change"] for event in told]
    demoted = next(place for place, change in enumerate(changes) if change["what"] == "demoted")
    assert [change for change in changes[demoted:] if change["by"] == str(ben.pk)] == []
    last_deed = AuditEntry.objects.filter(actor=ben).order_by("-pk").first()
    assert last_deed is None or last_deed.pk < AuditEntry.objects.get(action="stage.demote").pk
