"""Calls that a provider missed are repeated later: removals, abandoned rooms, new passwords."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services import password_set
from livestream.actors import actor_of
from streams.janitor import janitor_tick
from streams.models import MediaUid, Participant, StreamSession
from streams.selectors import session_get
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.people.viewers import viewer_invite
from streams.services.show.provider_failover import _swap, channel_renew, session_provider_switch
from streams.services.show.sessions import session_end, session_fail, session_update
from streams.services.stage.participation import stage_demote
from tests.cast import let_in, make_show, make_user
from tests.circuits import circuits_forget
from tests.outbox import sweep, waiting
from tests.providers.stand_ins.server import Refused
from tests.tokens.rooms import PUBLISH, channel, issue, kick
from tokens.models import IssuedToken

pytestmark = pytest.mark.django_db
CLOUDS = ("agora", "livekit", "daily")
SILENT, REFUSES = [503] * 1000, [401] * 1000
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=CLOUDS)
def cloud(request, ada, ben, cleo, django_capture_on_commit_callbacks):
    """A show at a vendor: Ben is a guest who publishes, Cleo watches."""
    server = request.getfixturevalue(request.param)
    session = make_show(ada, provider=request.param)
    let_in(session, ben, role="guest")
    let_in(session, cleo)
    server.uids = {}
    for user, role in ((ada, PUBLISH), (ben, PUBLISH), (cleo, None)):
        enter(server, session, user, *([role] if role else []))
    server.session, server.commit = session_get(session.pk), lambda: django_capture_on_commit_callbacks(execute=True)
    return server


def enter(server, session, user, *role):
    held = issue(session, user, *role)
    server.enter(held.channel_id, held.uid, ("audio", "video") if role else ())
    server.uids[user.username] = held.uid
    return held


def answers(server, how=None):
    server.broken = list(how or [])
    circuits_forget()


def new_password(user):
    password_set(user_id=user.pk, password="another correct horse 8")
    user.refresh_from_db()


def removed(session, ada, ben):
    participant_kick(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)


def banned(session, ada, ben):
    participant_ban(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)


def off_stage(session, ada, ben):
    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)


def password(session, ada, ben):
    new_password(ben)


def ended(session, ada, ben):
    session_end(session_id=session.pk, actor=actor_of(ada))


def failed(session, ada, ben):
    session_fail(session_id=session.pk, actor=actor_of(ada))


def private(session, ada, ben):
    session_update(session_id=session.pk, actor=actor_of(ada), changes={"visibility": "private"})


def switched(session, ada, ben):
    session_provider_switch(session_id=session.pk, actor=actor_of(ada), provider="builtin")


PEOPLE = {"present": {"ada", "ben", "cleo"}, "sending": {"ada", "ben"}}
OTHERS = {"present": {"ada", "cleo"}, "sending": {"ada"}}
NOBODY = {"present": set(), "sending": set()}
WAYS = [
    (removed, OTHERS),
    (banned, OTHERS),
    (off_stage, {"present": {"ada", "ben", "cleo"}, "sending": {"ada"}}),
    (password, OTHERS),
    (ended, NOBODY),
    (failed, NOBODY),
    (private, NOBODY),
    (switched, NOBODY),
]


def there(server):
    names = {uid: name for name, uid in server.uids.items()}
    room = server.session.channel_id
    return {
        "present": {names[uid] for uid in server.present(room)},
        "sending": {names[uid] for uid in server.senders(room)},
    }


@pytest.mark.parametrize(("way", "after"), WAYS, ids=lambda value: getattr(value, "__name__", ""))
def test_at_once_where_the_provider_answers(cloud, ada, ben, way, after):
    with cloud.commit():
        way(cloud.session, ada, ben)

    assert there(cloud) == after
    assert waiting() == []
    assert cloud.mistakes == []


@pytest.mark.parametrize("how", [SILENT, REFUSES], ids=["silent", "refuses"])
@pytest.mark.parametrize(("way", "after"), WAYS, ids=lambda value: getattr(value, "__name__", ""))
def test_later_where_it_was_silent_or_refused(cloud, ada, ben, way, after, how):
    answers(cloud, how)
    with cloud.commit():
        way(cloud.session, ada, ben)
    assert there(cloud) == PEOPLE
    answers(cloud)

    sweep(seconds=76)

    assert there(cloud) == after
    assert waiting() == []


@pytest.mark.parametrize("cloud", ["livekit"], indirect=True)
def test_the_janitor_tells(cloud, ada, ben):
    answers(cloud, [503] * 3)
    removed(cloud.session, ada, ben)
    answers(cloud)
    assert janitor_tick("one of many")
    assert there(cloud) == PEOPLE, "it is not due yet"

    sweep(seconds=4)

    assert there(cloud) == OTHERS


# ---- Removals --------------------------------------------------------------------------------------------------------


def test_nobody_is_told_of_a_show_that_is_over(cloud, ada, ben):
    answers(cloud, SILENT)
    removed(cloud.session, ada, ben)
    with cloud.commit():
        ended(cloud.session, ada, ben)
    answers(cloud)
    sweep(seconds=76)

    assert there(cloud) == NOBODY
    assert waiting() == []


def test_staff_who_is_back_is_not_removed_late(livekit, ada, ben):
    show = make_show(ada, provider="livekit")
    ben.is_staff = True
    ben.save()
    let_in(show, ben)
    answers(livekit, SILENT)
    participant_kick(session_id=show.pk, actor=actor_of(make_user(is_staff=True)), user_id=ben.pk)
    answers(livekit)
    held = issue(show, ben)
    livekit.enter(held.channel_id, held.uid)

    sweep(seconds=20)

    assert livekit.present(held.channel_id) == {held.uid}
    assert waiting() == []


def test_who_was_let_in_again_before_it_was_told_is_not_removed(cloud, ada, ben, cleo):
    answers(cloud, REFUSES)
    removed(cloud.session, ada, cleo)
    viewer_invite(session_id=cloud.session.pk, actor=actor_of(ada), username="cleo")
    answers(cloud)
    back = enter(cloud, cloud.session, cleo)

    sweep(seconds=76)

    assert Participant.objects.get(user=cleo).status == "left"
    assert back.uid in cloud.present(cloud.session.channel_id)
    assert waiting() == []


def test_where_nobody_can_be_removed_nobody_is_told(without_keys, ada, ben, django_capture_on_commit_callbacks):
    show = make_show(ada, provider="agora")
    let_in(show, ben)
    issue(show, ben)

    with django_capture_on_commit_callbacks(execute=True):
        kick(show, ada, ben)
        new_password(ben)

    assert (waiting(), without_keys.requests) == ([], [])


# ---- New passwords ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [SILENT, REFUSES], ids=["silent", "refuses"])
def test_an_owner_who_is_back_stays_and_who_was_there_before_is_cut(cloud, ben, cleo, how):
    old = cloud.uids["cleo"]
    answers(cloud, how)
    with cloud.commit():
        new_password(cleo)
    answers(cloud)
    back = enter(cloud, cloud.session, cleo)

    sweep(seconds=76)

    present = cloud.present(cloud.session.channel_id)
    assert back.uid in present
    assert old not in present - {back.uid}
    assert issue(cloud.session, cleo).uid == back.uid
    assert waiting() == []


def test_a_new_password_cuts_what_was_given_up_within_twelve_minutes(
    agora, ada, ben, django_capture_on_commit_callbacks
):
    show = make_show(ada, provider="agora")
    let_in(show, ben)
    now = timezone.now()
    for number, ago in enumerate([240, 120, 60, 30, 14, 9, 5, 2], start=1):
        at = now - ago * MINUTE
        MediaUid.objects.create(session=show, user=ben, number=number, given_at=at, retired_at=at + MINUTE)
        IssuedToken.objects.create(
            session=show,
            user=ben,
            provider="agora",
            token_hash=str(number),
            channel_id=show.channel_id,
            uid=str(number),
            role="subscriber",
            created_at=at,
            expires_at=at + 10 * MINUTE,
        )

    with django_capture_on_commit_callbacks(execute=True):
        new_password(ben)

    assert {rule["uid"] for rule in agora.rules} == {6, 7, 8}


# ---- Rooms that were left --------------------------------------------------------------------------------------------


def test_a_stream_that_could_not_be_ended_is_ended_by_its_own_name(mux, ada):
    session = make_show(ada, provider="mux", session_type="encoder")
    issue(session, ada, PUBLISH)
    (stream,) = mux.streams
    answers(mux, SILENT)
    session_end(session_id=session.pk, actor=actor_of(ada))
    answers(mux)
    mux.requests.clear()

    sweep(seconds=20)

    assert [path.rsplit("/", 2)[1:] for _, path, _ in mux.requests] == [[stream, "complete"], [stream, "disable"]]


def test_a_show_ends_though_its_provider_is_not_set_up_any_more(livekit, settings, ada):
    session = make_show(ada, provider="livekit")
    settings.PROVIDERS = {name: path for name, path in settings.PROVIDERS.items() if name != "livekit"}

    session_end(session_id=session.pk, actor=actor_of(ada))

    assert session_get(session.pk).state == "ended"
    assert waiting() == []


def test_the_room_that_is_left_is_the_one_of_this_moment(livekit, ada):
    """The caller may have read the show before another request changed its room."""
    stale = make_show(ada, provider="livekit")
    StreamSession.objects.filter(pk=stale.pk).update(channel_id="changed-meanwhile")

    assert not _swap(stale, provider="builtin", now=timezone.now())
    channel_renew(session=stale, now=timezone.now())

    assert waiting() == ["livekit:changed-meanwhile"]
    assert channel(stale) != "changed-meanwhile"


# ---- A failing target does not delay the others ----------------------------------------------------------------------


def test_one_provider_that_is_away_keeps_no_other_from_its_turn(agora, livekit, ada, ben):
    shows = [make_show(ada, provider="agora"), make_show(ada, provider="livekit")]
    held = {}
    for show, server in zip(shows, (agora, livekit), strict=True):
        let_in(show, ben)
        held[server] = issue(show, ben)
        server.enter(held[server].channel_id, held[server].uid)
        answers(server, SILENT)
        kick(show, ada, ben)
    answers(livekit)

    sweep(seconds=20)

    assert livekit.present(held[livekit].channel_id) == set()


@pytest.mark.parametrize("cloud", ["agora"], indirect=True)
def test_one_person_about_whom_nothing_is_answered_keeps_no_other_there(cloud, ada, ben, cleo):
    answers(cloud, SILENT)
    kick(cloud.session, ada, ben)
    kick(cloud.session, ada, cleo)
    answers(cloud)
    answered, unlucky = cloud.answer, cloud.uids["ben"]

    def not_about_ben(method, path, headers, body):
        if str(body.get("uid")) == unlucky:
            raise Refused(503)
        return answered(method, path, headers, body)

    cloud.answer = not_about_ben
    for seconds in (20, 40):
        circuits_forget()
        sweep(seconds)

    assert there(cloud)["present"] == {"ada", "ben"}
