"""From issue to expiry: renewed in time, revoked with the right, refused after revocation."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services import password_set
from livestream.actors import ANONYMOUS, actor_of
from livestream.errors import Conflict, Denied, NotAuthenticated, Unavailable
from livestream.realtime.groups import carrier_of, user_group
from providers.interface import MediaRole
from streams.models import MediaUid, Participant, ProviderRoom, StreamSession
from streams.selectors import session_get
from streams.services.people.revocation import Lost, credentials_revoke
from streams.services.show.provider_failover import channel_renew, session_provider_switch
from streams.services.show.sessions import session_end, session_update
from tests.bodies import assert_error
from tests.cast import let_in, make_show
from tests.conftest import Ear
from tests.threads import at_once
from tokens.expiry import tokens_expiring_notify
from tokens.join_verdict import join_verdict
from tokens.models import IssuedToken
from tokens.services import media_token_issue, token_hash

PUBLISHER, SUBSCRIBER = MediaRole.PUBLISHER, MediaRole.SUBSCRIBER


def issue(session, user, role=SUBSCRIBER):
    return media_token_issue(session_id=session.pk, actor=actor_of(user), role=role)


def good():
    return IssuedToken.objects.filter(revoked_at__isnull=True).count()


# ---- Expiry --------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """Record one person's notifications while a block runs."""
    import json

    def listen(user, do):
        ear = Ear(carrier_of(user_group(user.pk)), django_capture_on_commit_callbacks)
        with ear.listening() as messages:
            do()
        theirs = [message for message in messages if message["group"] == user_group(user.pk)]
        return [json.loads(text) for message in theirs for _, text in message.get("frames", [])]

    return listen


def test_a_holder_is_told_once_a_minute_before_the_end(ada, ben, show, heard):
    token = issue(show, ben)
    soon = token.expires_at - timedelta(seconds=59)

    early = heard(ben, lambda: tokens_expiring_notify(now=token.expires_at - timedelta(seconds=61)))
    told = heard(ben, lambda: tokens_expiring_notify(now=soon))
    again = heard(ben, lambda: tokens_expiring_notify(now=soon))

    (event,) = told
    assert (early, again) == ([], [])
    assert event["type"] == "token.expiring"
    assert event["data"] == {
        "session": str(show.pk),
        "provider": "builtin",
        "role": "subscriber",
        "expires_at": token.expires_at.isoformat().replace("+00:00", "Z"),
    }


def test_nobody_else_hears_of_it(ada, ben, eve, show, heard):
    token = issue(show, ben)

    assert heard(eve, lambda: tokens_expiring_notify(now=token.expires_at - timedelta(seconds=5))) == []


def test_who_has_a_newer_token_is_not_told_of_the_older(ada, ben, show, heard):
    token = issue(show, ben)
    IssuedToken.objects.update(expires_at=token.expires_at - timedelta(minutes=5))
    issue(show, ben)

    assert heard(ben, lambda: tokens_expiring_notify(now=token.expires_at - timedelta(minutes=5, seconds=30))) == []


def test_who_holds_two_roles_is_told_of_each(ada, show, heard):
    for role in MediaRole:
        token = issue(show, ada, role)

    told = heard(ada, lambda: tokens_expiring_notify(now=token.expires_at - timedelta(seconds=30)))

    assert sorted(event["data"]["role"] for event in told) == ["publisher", "subscriber"]


@pytest.mark.parametrize("how", ["revoked", "over", "run out", "nobody's"])
def test_there_is_nothing_to_tell_of_a_token_that_is_no_good(ada, ben, show, heard, how):
    token = issue(show, ben)
    now = token.expires_at - timedelta(seconds=30)
    match how:
        case "revoked":
            IssuedToken.objects.update(revoked_at=now)
        case "over":
            IssuedToken.objects.update(revoked_at=None)
            show.__class__.objects.filter(pk=show.pk).update(state="error")
        case "run out":
            now = token.expires_at + timedelta(seconds=1)
        case "nobody's":
            IssuedToken.objects.update(user=None)

    assert tokens_expiring_notify(now=now) == 0


# ---- Revocation ----------------------------------------------------------------------------------------------------


def test_losing_the_stage_ends_the_tokens_to_publish_with_alone(ada, ben, show):
    let_in(show, ben, role="guest")
    for role in MediaRole:
        issue(show, ben, role)
        issue(show, ada, role)

    credentials_revoke(session_id=show.pk, user_id=ben.pk, lost=Lost.PUBLISHING, now=timezone.now())

    revoked = IssuedToken.objects.filter(revoked_at__isnull=False)
    assert [(row.user_id, row.role) for row in revoked] == [(ben.pk, "publisher")]


def test_losing_everything_ends_all_of_one_persons_tokens_in_this_show(ada, ben, show):
    other = make_show(ada)
    for session in (show, other):
        issue(session, ben)
    issue(show, ada, PUBLISHER)

    credentials_revoke(session_id=show.pk, user_id=ben.pk, lost=Lost.EVERYTHING, now=timezone.now())

    revoked = IssuedToken.objects.filter(revoked_at__isnull=False)
    assert list(revoked.values_list("session_id", "user_id")) == [(show.pk, ben.pk)]


def test_the_end_of_the_show_ends_all(ada, ben, show):
    issue(show, ben)
    issue(show, ada, PUBLISHER)

    session_end(session_id=show.pk, actor=actor_of(ada))

    assert good() == 0


@pytest.mark.parametrize("leave", ["end", "renew"])
def test_what_ran_out_in_a_long_show_is_not_touched(ada, ben, show, leave):
    issue(show, ben)
    ago = timezone.now() - timedelta(hours=1)
    IssuedToken.objects.update(created_at=ago, expires_at=ago + timedelta(minutes=10))
    kept = issue(show, ben)

    if leave == "end":
        session_end(session_id=show.pk, actor=actor_of(ada))
    else:
        channel_renew(session=show, now=timezone.now())

    taken = IssuedToken.objects.filter(revoked_at__isnull=False)
    assert [row.token_hash for row in taken] == [token_hash(kept.token)]


def test_a_new_password_ends_every_token_of_the_person_and_cuts_them(
    ada, ben, agora, django_capture_on_commit_callbacks
):
    session = make_show(ada, provider="agora")
    before, others = issue(session, ben), issue(session, ada)
    agora.enter(session.channel_id, before.uid)
    agora.enter(session.channel_id, others.uid)

    with django_capture_on_commit_callbacks(execute=True):
        password_set(user_id=ben.pk, password="another one 83")

    assert agora.present(session.channel_id) == {others.uid}
    assert [row.user_id for row in IssuedToken.objects.filter(revoked_at__isnull=False)] == [ben.pk]


def test_who_comes_back_after_that_has_another_number_which_no_rule_meets(
    ada, ben, agora, django_capture_on_commit_callbacks
):
    session = make_show(ada, provider="agora")
    before = issue(session, ben)
    with django_capture_on_commit_callbacks(execute=True):
        ben = password_set(user_id=ben.pk, password="another one 83")

    after = issue(session, ben)

    assert after.uid != before.uid
    assert {str(rule["uid"]) for rule in agora.rules} == {before.uid}
    assert MediaUid.objects.filter(user=ben, retired_at__isnull=True).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", ["banned"])
def test_who_is_out_gets_no_other(api, ada, ben, livekit, status):
    session = make_show(ada, provider="livekit")
    issue(session, ben)
    let_in(session, ben, status=status)

    answer = api(ben).post(f"/api/v1/sessions/{session.pk}/token/")

    assert_error(answer, 403, "session.banned")


@pytest.mark.django_db(transaction=True)
def test_who_loses_the_right_while_the_token_is_made_does_not_get_it(ada, ben, daily):
    session = make_show(ada, provider="daily")
    let_in(session, ben)
    answered = daily.answer

    def banned_meanwhile(method, path, headers, body):
        if path == "/meeting-tokens":
            Participant.objects.filter(session=session, user=ben).update(status="banned")
        return answered(method, path, headers, body)

    daily.answer = banned_meanwhile
    at_the_same_time = IssuedToken.objects.count()
    with pytest.raises(Denied) as raised:
        issue(session, ben)

    assert raised.value.code == "session.banned"
    assert IssuedToken.objects.count() == at_the_same_time + 1
    assert good() == 0


@pytest.mark.parametrize("vendor", ["builtin", "agora"])
def test_who_was_let_in_with_the_old_password_gets_no_other(request, ada, ben, vendor):
    if vendor == "agora":
        request.getfixturevalue(vendor)
    session = make_show(ada, provider=vendor)
    owner = password_set(user_id=ben.pk, password="another one 83")

    with pytest.raises(NotAuthenticated):
        issue(session, ben)

    assert good() == 0
    assert issue(session, owner).uid


@pytest.mark.django_db(transaction=True)
def test_what_is_made_while_the_password_changes_is_not_handed_out(ada, ben, daily):
    session = make_show(ada, provider="daily")
    let_in(session, ben)
    answered = daily.answer

    def changed_meanwhile(method, path, headers, body):
        if path == "/meeting-tokens":
            User.objects.filter(pk=ben.pk).update(access_version=1)
        return answered(method, path, headers, body)

    daily.answer = changed_meanwhile
    with pytest.raises(NotAuthenticated):
        issue(session, ben)

    assert good() == 0


@pytest.mark.parametrize(
    ("held", "revoked", "verdict"),
    [
        ([], None, "nothing"),
        (["subscriber"], None, "watch"),
        (["publisher"], None, "watch"),
        (["publisher", "subscriber"], None, "watch"),
        (["publisher", "subscriber"], "publisher", "watch"),
        (["subscriber"], "subscriber", "nothing"),
        (["publisher"], "publisher", "nothing"),
    ],
)
def test_what_a_viewer_may_do_follows_from_what_is_not_revoked(ben, show, held, revoked, verdict):
    let_in(show, ben, role="guest")
    for role in held:
        issue(show, ben, MediaRole(role))
    Participant.objects.filter(user=ben).update(role="viewer")
    IssuedToken.objects.filter(role=revoked).update(revoked_at=timezone.now())

    assert join_verdict(session=show, uid=str(ben.pk)) == verdict


@pytest.mark.parametrize(
    ("role", "status", "held", "verdict"),
    [
        ("guest", "active", ["subscriber"], "publish"),
        ("guest", "active", [], "nothing"),
        ("guest", "left", ["subscriber"], "watch"),
        ("viewer", "kicked", ["subscriber"], "nothing"),
        ("viewer", "banned", ["subscriber"], "nothing"),
    ],
)
def test_a_new_role_counts_with_what_was_given_for_the_one_before(ben, show, role, status, held, verdict):
    let_in(show, ben)
    for one in held:
        issue(show, ben, MediaRole(one))
    Participant.objects.filter(user=ben).update(role=role, status=status)

    assert join_verdict(session=show, uid=str(ben.pk)) == verdict


def test_who_is_nobody_in_particular_and_watches_for_long_may_watch_on(show):
    uid = media_token_issue(session_id=show.pk, actor=ANONYMOUS, role=MediaRole.SUBSCRIBER).uid

    ago = timezone.now() - timedelta(hours=1)
    IssuedToken.objects.update(created_at=ago, expires_at=ago + timedelta(minutes=10))

    assert join_verdict(session=show, uid=uid) == "watch"
    assert join_verdict(session=show, uid="anon:somebody-else") == "nothing"


# ---- Rooms that have to be created ---------------------------------------------------------------------------------


def test_a_room_is_made_once_for_all_who_ask(ada, ben, daily):
    session = make_show(ada, provider="daily")

    made = [issue(session, user) for user in (ada, ben, ada)]

    assert {one.url for one in made} == {f"https://shop.daily.co/{session.channel_id}"}
    assert len(daily.made) == 1
    assert ProviderRoom.objects.get().details["name"] == session.channel_id


@pytest.mark.django_db(transaction=True)
def test_a_stream_is_made_once_by_many_who_ask_at_once(ada, ben, mux):
    session = make_show(ada, provider="mux")

    results = at_once(12, lambda _: issue(session, ben))

    assert len(mux.streams) == 1
    refused = [one for one in results if isinstance(one, Exception)]
    assert {getattr(one, "code", one) for one in refused} <= {"provider.preparing"}
    assert len(refused) < 12


def test_a_room_that_could_not_be_made_is_tried_again(ada, daily):
    session = make_show(ada, provider="daily")
    daily.broken = [500] * 3

    with pytest.raises(Unavailable):
        issue(session, ada)
    assert issue(session, ada).url


def test_no_stream_key_is_kept(ada, mux):
    session = make_show(ada, provider="mux")
    key = issue(session, ada, PUBLISHER).token

    kept = str(list(ProviderRoom.objects.values())) + str(list(IssuedToken.objects.values()))
    assert key == "key-1-secret"
    assert key not in kept


@pytest.mark.django_db(transaction=True)
def test_a_guest_gets_none_to_publish_with_where_only_the_host_can(api, ada, ben, mux):
    session = make_show(ada, provider="mux")
    let_in(session, ben, role="guest")

    answer = api(ben).post(f"/api/v1/sessions/{session.pk}/token/", {"role": "publisher"}, format="json")

    assert_error(answer, 409, "provider.no_stage")


def test_a_private_show_is_refused_where_who_watches_cannot_be_limited(api, ada, mux, settings):
    settings.MUX_SIGNING_KEY_ID = settings.MUX_SIGNING_PRIVATE_KEY = ""
    with pytest.raises(Conflict) as raised:
        make_show(ada, provider="mux", visibility="private")
    assert raised.value.code == "provider.not_private"

    session = make_show(ada, provider="mux")
    answer = api(ada).patch(f"/api/v1/sessions/{session.pk}/", {"visibility": "private"}, format="json")
    assert_error(answer, 409, "provider.not_private")


# ---- Another room, another provider --------------------------------------------------------------------------------


def test_turning_private_leaves_the_room_that_strangers_hold_tokens_for(ada, ben, agora):
    session = make_show(ada, provider="agora")
    before = issue(session, ben)
    agora.enter(session.channel_id, before.uid)

    session_update(session_id=session.pk, actor=actor_of(ada), changes={"visibility": "private"})

    after = session_get(session.pk)
    assert after.channel_id != session.channel_id
    assert agora.present(session.channel_id) == set()
    assert good() == 0
    assert issue(after, ada).channel_id == after.channel_id


def test_the_host_goes_on_with_another_provider(api, ada, ben, livekit, daily, published):
    session = make_show(ada, provider="livekit")
    before = issue(session, ben)
    livekit.enter(session.channel_id, before.uid)

    with published(session) as documents:
        answer = api(ada).post(f"/api/v1/sessions/{session.pk}/provider/", {"provider": "daily"}, format="json")

    (event,) = documents
    after = session_get(session.pk)
    assert (answer.status_code, answer.json()["provider"]) == (200, "daily")
    assert (event["type"], event["data"]["changed"]) == ("settings.changed", ["provider"])
    assert event["data"]["session"]["provider"] == "daily"
    assert livekit.present(session.channel_id) == set()
    assert good() == 0
    assert after.channel_id != session.channel_id
    assert issue(after, ben).protocol == "daily"


def test_switching_to_what_it_has_changes_nothing(ada, show):
    before = session_get(show.pk)

    session_provider_switch(session_id=show.pk, actor=actor_of(ada), provider="builtin")

    after = session_get(show.pk)
    assert (after.channel_id, after.head_seq) == (before.channel_id, before.head_seq)


@pytest.mark.parametrize(
    ("who", "provider", "status", "code"),
    [
        ("ben", "livekit", 403, "session.not_host"),
        ("mo", "livekit", 403, "session.not_host"),
        ("ada", "nothing", 400, "provider.unknown"),
        ("nobody", "livekit", 401, "not_authenticated"),
    ],
)
def test_only_the_host_switches_and_only_to_what_there_is(
    api, ada, ben, mo, show, livekit, who, provider, status, code
):
    user = {"ada": ada, "ben": ben, "mo": mo, "nobody": None}[who]

    answer = api(user).post(f"/api/v1/sessions/{show.pk}/provider/", {"provider": provider}, format="json")

    assert_error(answer, status, code)
    assert session_get(show.pk).provider == "builtin"


def test_a_show_that_is_over_stays_where_it_was(api, ada, livekit):
    session = make_show(ada, state="ended")

    answer = api(ada).post(f"/api/v1/sessions/{session.pk}/provider/", {"provider": "livekit"}, format="json")

    assert_error(answer, 409, "session.ended")


def test_a_host_whose_provider_is_away_goes_on_with_the_next_one(ada, ben, daily, mux, settings):
    settings.MEDIA_FALLBACK = ["mux", "daily", "builtin"]
    session = make_show(ada, provider="daily")
    StreamSession.objects.update(session_type="encoder")
    daily.broken, mux.broken = [503] * 100, [503] * 100

    made = issue(session, ada, PUBLISHER)

    assert mux.requests
    assert made.provider == "builtin"
    assert session_get(session.pk).provider == "builtin"
    assert issue(session, ben).provider == "builtin"


def test_a_host_with_a_camera_goes_nowhere_where_only_encoders_can_send(ada, daily, mux, settings):
    settings.MEDIA_FALLBACK = ["mux", "builtin"]
    session = make_show(ada, provider="daily")
    daily.broken = [503] * 100

    assert issue(session, ada, PUBLISHER).provider == "builtin"
    assert mux.requests == []


def test_a_viewer_moves_nobody(ada, ben, daily, settings):
    settings.MEDIA_FALLBACK = ["builtin"]
    session = make_show(ada, provider="daily")
    daily.broken = [503] * 100

    with pytest.raises(Unavailable) as raised:
        issue(session, ben)

    assert raised.value.code == "provider.unavailable"
    assert raised.value.retry_after
    assert session_get(session.pk).provider == "daily"


def test_a_provider_that_refuses_is_no_reason_to_move(ada, daily, settings):
    settings.MEDIA_FALLBACK = ["builtin"]
    session = make_show(ada, provider="daily")
    daily.key = "another key"

    with pytest.raises(Unavailable) as raised:
        issue(session, ada, PUBLISHER)

    assert raised.value.code == "provider.refused"
    assert session_get(session.pk).provider == "daily"


def test_there_is_a_list_of_providers(api, agora):
    answer = api().get("/api/v1/providers/")

    listed = {one["name"]: one for one in answer.json()}
    assert set(listed) == {"builtin", "agora"}
    assert listed["builtin"]["default"] is True
    assert "numeric_uids" in listed["agora"]["capabilities"]
