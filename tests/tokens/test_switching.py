"""What a show may go on with, and what it may not."""

import pytest

from streams.selectors import session_get
from tests.bodies import assert_error
from tests.cast import make_show


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
        ({"session_type": "encoder"}, ["livekit", "mux"]),
        ({"session_type": "encoder", "visibility": "private"}, ["livekit"]),
        ({"session_type": "camera", "provider": "livekit"}, ["builtin"]),
        ({"session_type": "camera", "state": "ended"}, []),
    ],
)
def test_the_desk_offers_what_the_server_would_take(client, ada, livekit, mux, settings, fields, offered):
    settings.MUX_SIGNING_KEY_ID = ""
    session = make_show(ada, **fields)
    client.force_login(ada)

    page = client.get(f"/studio/{session.pk}/")

    assert [one["name"] for one in page.context["alternatives"]] == offered
