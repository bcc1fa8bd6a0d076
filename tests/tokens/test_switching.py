"""Permitted and refused moves of a show to another provider."""

import pytest

from livestream.circuit_breaker import circuit_named
from streams.models import StreamSession
from streams.selectors import session_get
from tests.bodies import assert_error
from tests.cast import make_show
from tests.streams.test_stage import on_stage


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"session_type": "camera"}, "provider.no_browser"),
        ({"session_type": "screen"}, "provider.no_browser"),
        ({"session_type": "encoder"}, None),
    ],
)
def test_a_show_from_a_browser_does_not_go_where_only_encoders_send(api, ada, mux, fields, code):
    session = make_show(ada, **fields)

    answer = api(ada).post(f"/api/v1/sessions/{session.pk}/provider/", {"provider": "mux"}, format="json")

    after = session_get(session.pk)
    if code:
        assert_error(answer, 409, code)
        assert (after.provider, after.channel_id) == ("builtin", session.channel_id)
    else:
        assert (answer.status_code, after.provider) == (200, "mux")


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({"session_type": "camera"}, ["livekit"]),
        ({"session_type": "encoder"}, ["mux"]),
        ({"session_type": "encoder", "visibility": "private"}, []),
        ({"session_type": "camera", "provider": "livekit"}, ["builtin"]),
        ({"session_type": "camera", "state": "ended"}, []),
    ],
)
def test_the_studio_offers_what_the_server_would_take(client, ada, livekit, mux, settings, fields, offered):
    settings.MUX_SIGNING_KEY_ID = ""
    session = make_show(ada, **fields)
    client.force_login(ada)

    page = client.get(f"/studio/{session.pk}/")

    assert [one["name"] for one in page.context["alternatives"]] == offered


def test_one_that_does_not_answer_either_is_offered_last(client, ada, livekit, agora):
    session = make_show(ada)
    client.force_login(ada)
    for _ in range(5):
        circuit_named("agora").failed("away")

    page = client.get(f"/studio/{session.pk}/")

    assert [one["name"] for one in page.context["alternatives"]] == ["livekit", "agora"]


def test_a_show_from_an_encoder_does_not_go_where_none_can_send(api, ada, livekit):
    session = make_show(ada, session_type="encoder")

    answer = api(ada).post(f"/api/v1/sessions/{session.pk}/provider/", {"provider": "livekit"}, format="json")

    assert_error(answer, 409, "provider.no_encoder")
    assert session_get(session.pk).provider == "builtin"


@pytest.mark.parametrize("guests", [0, 1])
def test_guests_are_not_left_behind_where_the_host_is_alone(api, ada, ben, whip, guests):
    session = make_show(ada)
    if guests:
        on_stage(session, ben)

    answer = api(ada).post(f"/api/v1/sessions/{session.pk}/provider/", {"provider": "whip"}, format="json")

    if guests:
        assert_error(answer, 409, "provider.no_stage")
    assert session_get(session.pk).provider == ("builtin" if guests else "whip")


@pytest.mark.parametrize(
    ("vendor", "said", "unsaid"),
    [
        ("builtin", ["<strong>WHIP", "Bearer token"], ["Stream key"]),
        ("whip", ["<strong>WHIP", "Bearer token"], ["Stream key"]),
        ("mux", ["<strong>Custom", "Stream key"], ["<strong>WHIP", "Bearer token"]),
        ("livekit", [], ["another encoder", "<strong>WHIP", "Stream key"]),
    ],
)
def test_the_studio_says_what_an_encoder_has_to_speak(client, ada, mux, livekit, whip, vendor, said, unsaid):
    session = make_show(ada, provider=vendor)
    StreamSession.objects.update(session_type="encoder")
    client.force_login(ada)

    page = client.get(f"/studio/{session.pk}/").content.decode()

    assert [word for word in said if word not in page] == []
    assert [word for word in unsaid if word in page] == []
