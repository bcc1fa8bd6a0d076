"""The original names are equivalent to the addresses under /api/v1/, refusals included."""

import pytest

from livestream.actors import actor_of
from livestream.compat_routes import ROUTES
from streams.api.stage import ANSWERS, DEEDS
from streams.models import GuestRequest, Participant, StreamSession
from streams.services.stage.guest_requests import guest_request_make
from streams.services.stage.participation import stage_promote
from tests.bodies import assert_error
from tests.cast import let_in, make_show
from tests.kernel.test_openapi import assert_fits


def post(api, user, name, session=None, /, **data):
    answer = api(user).post(
        f"/live/{name}", data | ({"session": str(session.pk)} if session is not None else {}), format="json"
    )
    if answer.status_code < 300:
        assert_fits(f"live_{name.replace('-', '_')}_create", answer)
    return answer


def test_a_show_from_start_to_end(api, ada, ben, cleo):
    session = make_show(ada, state="initializing")

    assert post(api, ada, "start", session).json()["state"] == "active"
    assert post(api, ben, "join", session).json()["role"] == "viewer"
    guest_request = post(api, ben, "request-guest", session, message="May I?")
    assert (guest_request.status_code, guest_request.json()["message"]) == (201, "May I?")
    answered = post(api, ada, "respond-guest-request", session, request=guest_request.json()["id"], answer="approve")
    assert answered.json()["status"] == "approved"
    muted = post(api, ada, "manage-participant", session, user=str(ben.pk), action="mute", kind="audio")
    assert muted.json()["audio_muted_by"] == "host"
    said = post(api, cleo, "send-message", session, text="Hello", client_id="1")
    assert (said.status_code, said.json()["content"]) == (201, "Hello")
    assert post(api, ada, "end", session).json()["state"] == "ended"


@pytest.mark.django_db
def test_what_runs_is_listed_for_everybody_and_nothing_else(api, ada, ben):
    running = [make_show(ada), make_show(ben, state="paused")]
    make_show(ada, visibility="private")
    make_show(ada, visibility="unlisted")
    make_show(ada, state="ended")
    make_show(ada, state="initializing")

    answer = api().get("/live/active")

    assert_fits("live_active_list", answer)
    assert [row["id"] for row in answer.json()["results"]] == [str(session.pk) for session in reversed(running)]


def refused(session, user, request):
    """Each name with a valid body."""
    return {
        "start": {},
        "end": {},
        "request-guest": {},
        "respond-guest-request": {"request": str(request.pk), "answer": "approve"},
        "manage-participant": {"user": str(user.pk), "action": "kick"},
        "send-message": {"text": "x", "client_id": "1"},
        "join": {},
    }


CODES = {"start": "session.not_host", "end": "session.not_host"} | dict.fromkeys(
    ("respond-guest-request", "manage-participant"), "session.not_moderator"
)


def test_nobody_may_more_than_under_the_other_address(api, show, ben, cleo, eve):
    let_in(show, ben)
    let_in(show, cleo, status="banned")
    guest_request, _ = guest_request_make(session_id=show.pk, actor=actor_of(ben))
    bodies = refused(show, ben, guest_request)
    assert {*bodies, "active"} == set(ROUTES)

    for name, body in bodies.items():
        assert_error(post(api, None, name, show, **body), 401, "not_authenticated")
        assert_error(post(api, eve, name, **body), 400, "invalid")
        if name in CODES:
            assert_error(post(api, eve, name, show, **body), 403, CODES[name])
        assert_error(post(api, cleo, name, show, **body), 403, "session.banned")
    assert StreamSession.objects.get(pk=show.pk).state == "active"
    assert GuestRequest.objects.get().status == "pending"
    assert Participant.objects.get(user=ben).status == "active"


def test_a_private_show_is_missing_for_strangers(api, ada, ben, eve):
    session = make_show(ada, visibility="private")
    let_in(session, ben)
    stage = guest_request_make(session_id=session.pk, actor=actor_of(ben))[0]

    for name, body in refused(session, ben, stage).items():
        assert_error(post(api, eve, name, session, **body), 404, "session.missing")


@pytest.mark.parametrize("answer", [*ANSWERS, "nonsense"])
def test_every_answer_has_its_name(api, show, ada, ben, answer):
    let_in(show, ben)
    guest_request, _ = guest_request_make(session_id=show.pk, actor=actor_of(ben))

    given = post(api, ada, "respond-guest-request", show, request=str(guest_request.pk), answer=answer, reason="Later")

    wanted = {"approve": (200, "approved"), "reject": (200, "rejected"), "nonsense": (400, "pending")}
    assert (given.status_code, GuestRequest.objects.get().status) == wanted.get(answer, (403, "pending"))


@pytest.mark.parametrize("action", [*DEEDS, "nonsense"])
def test_every_deed_has_its_name(api, show, ada, ben, action):
    let_in(show, ben)
    stage_promote(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)

    kind = {"kind": "audio"} if action in ("mute", "unmute") else {}
    given = post(api, ada, "manage-participant", show, user=str(ben.pk), action=action, **kind)

    assert given.status_code == (400 if action == "nonsense" else 200)


def test_muting_says_what(api, show, ada, ben):
    let_in(show, ben)

    assert_error(post(api, ada, "manage-participant", show, user=str(ben.pk), action="mute"), 400, "invalid")
