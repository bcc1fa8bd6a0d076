"""The choice of a new show's provider, and its refusals."""

import pytest

from streams.models import StreamSession
from streams.selectors import session_get
from tests.bodies import assert_error
from tests.cast import make_show

pytestmark = pytest.mark.django_db


def made(client, **fields):
    return client.post("/api/v1/sessions/", {"title": "A show", **fields}, format="json")


@pytest.mark.parametrize(
    ("default", "fallback", "fields", "chosen"),
    [
        ("mux", [], {"session_type": "camera"}, "builtin"),
        ("mux", [], {"session_type": "screen"}, "builtin"),
        ("mux", ["livekit"], {"session_type": "camera"}, "livekit"),
        ("mux", ["livekit"], {"session_type": "encoder"}, "mux"),
        ("livekit", ["mux"], {"session_type": "encoder"}, "mux"),
        ("livekit", ["mux"], {"session_type": "encoder", "visibility": "private"}, "builtin"),
        ("livekit", ["mux"], {"session_type": "camera"}, "livekit"),
    ],
)
def test_a_show_that_names_no_provider_gets_one_that_can_carry_it(
    api, ada, livekit, mux, settings, default, fallback, fields, chosen
):
    settings.MEDIA_PROVIDER, settings.MEDIA_FALLBACK, settings.MUX_SIGNING_KEY_ID = default, fallback, ""

    answer = made(api(ada), **fields)

    assert (answer.status_code, answer.data["provider"]) == (201, chosen)
    assert answer.data["session_type"] == fields["session_type"]


@pytest.mark.parametrize(
    ("provider", "session_type", "code"),
    [
        ("mux", "camera", "provider.no_browser"),
        ("mux", "screen", "provider.no_browser"),
        ("livekit", "encoder", "provider.no_encoder"),
    ],
)
def test_a_show_is_not_made_at_a_named_provider_that_cannot_carry_it(
    api, ada, livekit, mux, provider, session_type, code
):
    answer = made(api(ada), provider=provider, session_type=session_type)

    assert_error(answer, 409, code)
    assert "Choose another provider" in answer.data["error"]["message"]
    assert not StreamSession.objects.exists()


def test_a_show_that_says_nothing_of_its_source_is_an_encoders_where_only_encoders_send(api, ada, mux):
    assert made(api(ada), provider="mux").data["session_type"] == "encoder"
    assert made(api(ada)).data["session_type"] == "camera"


def test_where_no_provider_can_carry_a_show_it_is_refused(api, ada, livekit, settings):
    settings.MEDIA_PROVIDER = "livekit"
    settings.PROVIDERS = {"livekit": settings.PROVIDERS["livekit"]}

    assert_error(made(api(ada), session_type="encoder"), 409, "provider.no_encoder")


def test_the_source_of_a_show_changes_only_to_what_its_provider_takes(api, ada, mux):
    session = make_show(ada, provider="mux", session_type="encoder")
    address = f"/api/v1/sessions/{session.pk}/"

    refused = api(ada).patch(address, {"session_type": "camera"}, format="json")
    taken = api(ada).patch(address, {"session_type": "encoder", "title": "Another"}, format="json")

    assert_error(refused, 409, "provider.no_browser")
    assert taken.status_code == 200
    assert (session_get(session.pk).session_type, session_get(session.pk).title) == ("encoder", "Another")
