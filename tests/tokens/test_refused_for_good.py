"""A provider that refuses the host for good: the show fails, and says so."""

import pytest

from livestream.errors import ProviderRejected, ProviderUnreachable
from providers.builtin import BuiltinProvider
from streams.services.provider.host_presence import host_seen
from tests.bodies import assert_error
from tests.cast import let_in, make_show

# A media token is requested on the event loop, and looked up in a thread that sees only committed rows.
pytestmark = pytest.mark.django_db(transaction=True)


class RefusingProvider(BuiltinProvider):
    """Refuses every join."""

    name = "refusing"
    error = ProviderRejected

    def join(self, **given):
        raise self.error(self.name, "answered 403")


class SilentProvider(RefusingProvider):
    """Does not answer."""

    name = "silent"
    error = ProviderUnreachable


@pytest.fixture(autouse=True)
def _providers(settings):
    here = "tests.tokens.test_refused_for_good"
    settings.PROVIDERS = {
        **settings.PROVIDERS,
        "refusing": f"{here}.RefusingProvider",
        "silent": f"{here}.SilentProvider",
    }


def token(api, session, user, role):
    return api(user).post(f"/api/v1/sessions/{session.pk}/token/", {"role": role}, format="json")


def test_a_live_show_whose_host_is_refused_has_failed(api, ada, published):
    show = make_show(ada, provider="refusing")

    with published(show) as documents:
        answer = token(api, show, ada, "publisher")

    assert_error(answer, 503, "provider.refused")
    show.refresh_from_db()
    assert (show.state, show.end_reason) == ("error", "failure")
    assert "session.changed" in [document["type"] for document in documents]


@pytest.mark.parametrize(
    ("provider", "state", "who", "role", "seen"),
    [
        ("silent", "active", "ada", "publisher", False),
        ("refusing", "initializing", "ada", "publisher", False),
        ("refusing", "active", "ada", "publisher", True),
        ("refusing", "active", "ada", "subscriber", False),
        ("refusing", "active", "ben", "subscriber", False),
    ],
    ids=["only silent", "not begun", "has a picture", "the host watches", "a viewer"],
)
def test_what_ends_no_show(api, ada, ben, provider, state, who, role, seen):
    show = make_show(ada, provider=provider, state=state)
    let_in(show, ben)
    if seen:
        host_seen(session_id=show.pk, at=show.created_at)

    assert token(api, show, {"ada": ada, "ben": ben}[who], role).status_code == 503

    show.refresh_from_db()
    assert show.state == state
