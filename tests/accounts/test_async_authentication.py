"""Authentication on the event loop: by bearer token, or by cookie with our own page's CSRF proof."""

from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.async_authentication import Credentials, actors_of
from accounts.bearer import bearer_pair
from livestream.actors import ANONYMOUS, actor_of
from livestream.errors import NotAuthenticated
from tests.bodies import assert_error
from tests.cast import make_show, make_user, session_key_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def private(ada):
    """A private show: the answer to a token request identifies the caller."""
    return make_show(ada, visibility="private")


def actors_of_sessions(keys):
    return actors_of([Credentials(session_key=key) for key in keys])


def url(session):
    return f"/api/v1/sessions/{session.pk}/token/"


def browser_of(user):
    """Return a browser that has opened a page of ours."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.get("/")
    client.get("/accounts/login/")
    return client


def proof_of(client):
    return {"X-CSRFToken": client.cookies["csrftoken"].value}


def test_a_bearer_token_says_who_asks(private, ada):
    client = APIClient(headers={"Authorization": f"Bearer {bearer_pair(user=ada)['access']}"})

    assert client.post(url(private)).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer x.y.z", "Bearer \u00fc", f"Bearer {'x' * 5000}"])
def test_a_token_that_is_none_is_refused(show, header):
    answer = APIClient(headers={"Authorization": header}).post(url(show))

    assert_error(answer, 401, "token.invalid")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_new_password_ends_a_token(private, ada):
    client = APIClient(headers={"Authorization": f"Bearer {bearer_pair(user=ada)['access']}"})
    ada.set_password("another horse entirely")
    ada.save()

    assert_error(client.post(url(private)), 401, "token.invalid")


def test_another_scheme_is_no_bearer_token(show):
    assert APIClient(headers={"Authorization": "Basic YTpi"}).post(url(show)).status_code == 200


def test_a_cookie_with_the_pages_proof_says_who_asks(private, ada):
    browser = browser_of(ada)

    assert browser.post(url(private), content_type="application/json", headers=proof_of(browser)).status_code == 200


@pytest.mark.parametrize("proof", [{}, {"X-CSRFToken": "x" * 32}])
def test_a_cookie_without_it_is_refused(private, ada, proof):
    answer = browser_of(ada).post(url(private), content_type="application/json", headers=proof)

    assert_error(answer, 403, "denied")
    assert "CSRF" in answer.json()["error"]["message"]


def test_nobody_in_particular_needs_no_proof(show):
    assert Client(enforce_csrf_checks=True).post(url(show), content_type="application/json").status_code == 200


def test_who_has_logged_out_is_nobody_in_particular(private, ada):
    browser = browser_of(ada)
    key = browser.cookies["sessionid"].value
    browser.logout()
    browser.cookies["sessionid"] = key

    assert_error(browser.post(url(private), content_type="application/json"), 404, "session.missing")


def test_a_crowd_with_tokens_and_cookies_is_read_together(django_assert_num_queries):
    people = [make_user() for _ in range(4)]
    cookies = [Credentials(session_key=session_key_of(user)) for user in people[:2]]
    bearers = [Credentials(token=AccessToken.for_user(user)) for user in people[2:]]
    gone = AccessToken.for_user(people[3])
    gone["user_id"] = str(uuid4())

    with django_assert_num_queries(2):
        actors = actors_of([*cookies, Credentials(), *bearers, Credentials(token=gone)])

    assert actors[:5] == [*map(actor_of, people[:2]), ANONYMOUS, *map(actor_of, people[2:])]
    assert isinstance(actors[5], NotAuthenticated)


@pytest.mark.parametrize("size", [1, 5])
def test_the_sessions_of_a_crowd_take_as_many_queries_as_that_of_one(size, django_assert_num_queries):
    people = [make_user() for _ in range(size)]
    keys = [session_key_of(user) for user in people]

    with django_assert_num_queries(2):
        actors = actors_of_sessions([*keys, "a" * 32])

    assert actors == [*(actor_of(user) for user in people), ANONYMOUS]


def test_a_session_that_has_run_out_is_over(ben):
    from django.contrib.sessions.models import Session

    key = session_key_of(ben)
    Session.objects.update(expire_date=timezone.now())

    assert actors_of_sessions([key]) == [ANONYMOUS]


def test_the_demonstrations_people_are_nobody_outside_of_it(ben, settings):
    key = session_key_of(ben)
    type(ben).objects.update(is_demo=True)

    settings.DEMO = True
    inside = actors_of_sessions([key])
    settings.DEMO = False

    assert (inside, actors_of_sessions([key])) == ([actor_of(ben)], [ANONYMOUS])


HEADERS = {
    "nothing": lambda user, key, pair: {},
    "a token": lambda user, key, pair: {"Authorization": f"Bearer {pair['access']}"},
    "a lower-case scheme": lambda user, key, pair: {"Authorization": f"bearer {pair['access']}"},
    "two spaces": lambda user, key, pair: {"Authorization": f"Bearer  {pair['access']}"},
    "the refresh token": lambda user, key, pair: {"Authorization": f"Bearer {pair['refresh']}"},
    "a cut token": lambda user, key, pair: {"Authorization": f"Bearer {pair['access'][:-2]}"},
    "another scheme": lambda user, key, pair: {"Authorization": "Basic YTpi"},
    "a cookie": lambda user, key, pair: {"Cookie": f"sessionid={key}"},
    "a cookie and the proof": lambda user, key, pair: {
        "Cookie": f"sessionid={key}; csrftoken={'a' * 32}",
        "X-CSRFToken": "a" * 32,
    },
    "a cookie and another site": lambda user, key, pair: {
        "Cookie": f"sessionid={key}; csrftoken={'a' * 32}",
        "X-CSRFToken": "a" * 32,
        "Origin": "https://evil.example",
    },
    "a cookie and a bad token": lambda user, key, pair: {"Cookie": f"sessionid={key}", "Authorization": "Bearer x"},
    "a cookie that is none": lambda user, key, pair: {"Cookie": "sessionid=x' OR 1=1"},
}


@pytest.mark.parametrize("state", ["", "new password", "closed"])
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_who_asks_is_the_same_as_everywhere_in_the_api(private, ada, headers, state):
    """REST framework's classes answer a show's own page; neither way shows a private show to anonymous viewers."""
    given = headers(ada, session_key_of(ada), bearer_pair(user=ada))
    if state == "new password":
        ada.set_password("another horse entirely")
        ada.save()
    elif state == "closed":
        type(ada).objects.filter(pk=ada.pk).update(is_active=False)

    client = APIClient(enforce_csrf_checks=True)
    here = client.post(url(private), headers=given)
    there = client.patch(f"/api/v1/sessions/{private.pk}/", {}, format="json", headers=given)

    nobody = there.status_code == 401 and there.json()["error"]["code"] == "not_authenticated"
    if nobody:
        assert_error(here, 404, "session.missing")
    else:
        assert here.status_code == there.status_code
        assert here.json().get("error") == there.json().get("error")
