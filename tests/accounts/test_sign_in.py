import time

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.test import AsyncRequestFactory

from accounts import login_limits
from accounts.login_limits import network_of
from accounts.models import User
from livestream.errors import TooMany
from tests.accounts.conftest import PASSWORD
from tests.accounts.hashers import CountingHasher

pytestmark = pytest.mark.django_db
TOKEN = "/api/v1/auth/token/"


def token(client, username="ben", password="wrong", **extra):
    return client.post(TOKEN, {"username": username, "password": password}, content_type="application/json", **extra)


@pytest.fixture(autouse=True)
def nothing_hashed_yet(ben):
    CountingHasher.calls = 0


def test_name_and_password_give_tokens_that_open_the_api(client, ben):
    answer = token(client, password=PASSWORD)

    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}
    me = client.get("/api/v1/auth/me/", headers={"Authorization": f"Bearer {answer.json()['access']}"})
    assert me.json()["username"] == "ben"


def test_a_name_is_known_in_whatever_case(client):
    assert token(client, username="BEN", password=PASSWORD).status_code == 200


@pytest.mark.parametrize("username", ["ben", "nobody", "ben\u0130", "x" * 150])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(client, username):
    answer = token(client, username=username)

    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"code": "sign_in.wrong", "message": "Wrong username or password.", "category": "permission"}
    }
    assert CountingHasher.calls == 1


def test_a_closed_account_cannot_sign_in(client, ben):
    User.objects.filter(pk=ben.pk).update(is_active=False)

    assert token(client, password=PASSWORD).status_code == 401


def test_ten_wrong_tries_reach_the_hasher_and_no_more(client):
    answers = [token(client, username=name).status_code for name in ("ben", "BEN", "Ben") * 10]

    last = token(client, password=PASSWORD)
    assert answers == [401] * 10 + [429] * 20
    assert CountingHasher.calls == 10
    assert last.status_code == 429
    assert last.json()["error"]["code"] == "sign_in.too_many"
    assert 800 < last.json()["error"]["retry_after"] <= 900
    assert int(last["Retry-After"]) > 800


def wrong(client, count, *, network="198.51.100", username="ben"):
    """Try wrong passwords, ten from each of as many addresses as needed."""
    return [
        token(client, username=username, REMOTE_ADDR=f"{network}.{number // 10}").status_code for number in range(count)
    ]


def test_wrong_tries_elsewhere_lock_nobody_out(client):
    assert wrong(client, 20) == [401] * 20

    assert token(client, password=PASSWORD).status_code == 200


def test_an_account_bears_a_hundred_wrong_tries_from_everywhere(client):
    assert wrong(client, 100) == [401] * 100
    CountingHasher.calls = 0

    assert token(client, password=PASSWORD).status_code == 429
    assert token(client, username="other").status_code == 401
    assert CountingHasher.calls == 1


SIGN_INS = {
    "api": lambda client, password: token(client, password=password).status_code == 200,
    "page": lambda client, password: (
        client.post("/accounts/login/", {"username": "ben", "password": password}).status_code == 302
    ),
    "admin": lambda client, password: (
        client.post("/admin/login/", {"username": "ben", "password": password}).status_code == 302
    ),
}


@pytest.mark.parametrize("way", SIGN_INS)
@pytest.mark.parametrize("again", SIGN_INS)
def test_a_browser_that_signed_in_before_is_let_in_whatever_others_tried(client, ben, way, again):
    User.objects.filter(pk=ben.pk).update(is_staff=True)
    assert SIGN_INS[way](client, PASSWORD)
    client.cookies.pop("sessionid", None)
    stranger = type(client)()
    wrong(stranger, 100)
    for number in range(31):
        token(stranger, username=f"person{number}")  # the browser's network

    assert not SIGN_INS[again](stranger, PASSWORD)
    assert SIGN_INS[again](client, PASSWORD)


def test_a_new_accounts_browser_is_known_at_once(client):
    body = {"username": "dora", "password": PASSWORD, "display_name": ""}
    assert client.post("/api/v1/auth/register/", body, content_type="application/json").status_code == 201
    wrong(type(client)(), 100, username="dora")

    assert token(client, username="Dora", password=PASSWORD).status_code == 200


def test_a_known_browser_has_ten_wrong_tries_too(client):
    token(client, password=PASSWORD)
    CountingHasher.calls = 0

    assert [token(client).status_code for _ in range(12)] == [401] * 10 + [429] * 2
    assert CountingHasher.calls == 10


def test_a_cookie_is_good_for_its_own_account_only_and_only_if_we_signed_it(client, eve):
    token(client, username="eve", password=PASSWORD)
    wrong(type(client)(), 100)
    assert token(client, password=PASSWORD).status_code == 429

    known = client.cookies["signed_in_before"].value
    body, rest = known.split(":", 1)
    for forged in ("", "x", known[:-1] + ("a" if known[-1] != "a" else "b"), f"{body[:-2]}:{rest}", "a:b:c"):
        client.cookies["signed_in_before"] = forged
        assert token(client, password=PASSWORD).status_code == 429


def test_a_browser_remembers_a_few_accounts(client, ben, eve):
    for name in ("ben", "eve"):
        assert token(client, username=name, password=PASSWORD).status_code == 200
    for name in ("ben", "eve"):
        wrong(type(client)(), 100, username=name)

    assert [token(client, username=name, password=PASSWORD).status_code for name in ("ben", "eve")] == [200, 200]
    cookie = client.cookies["signed_in_before"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_changing_the_password_is_counted_alike(client, ben):
    def change(caller, old):
        body = {"old_password": old, "new_password": "another horse entirely"}
        return caller.post("/api/v1/auth/password/", body, content_type="application/json", headers=headers)

    access = token(client, password=PASSWORD).json()["access"]
    headers = {"Authorization": f"Bearer {access}"}
    stranger = type(client)()
    assert [change(stranger, "wrong").status_code for _ in range(11)] == [400] * 10 + [429]
    wrong(stranger, 90)

    assert change(stranger, PASSWORD).status_code == 429
    assert change(client, PASSWORD).status_code == 200


def test_thirty_wrong_tries_from_one_address_reach_the_hasher_and_no_more(client):
    answers = [token(client, username=f"person{number}").status_code for number in range(40)]

    assert answers == [401] * 30 + [429] * 10
    assert CountingHasher.calls == 30


def test_another_address_may_still_try(client):
    for number in range(31):
        token(client, username=f"person{number}")

    assert token(client, password=PASSWORD).status_code == 429
    assert token(client, password=PASSWORD, REMOTE_ADDR="198.51.100.7").status_code == 200


def test_an_address_that_guesses_at_one_account_keeps_its_tries_for_others(client):
    for _ in range(60):
        token(client)

    assert token(client, username="other").status_code == 401


def test_right_passwords_do_not_count(client):
    assert [token(client, password=PASSWORD).status_code for _ in range(35)] == [200] * 35


def test_a_right_password_does_not_forgive_the_wrong_ones(client):
    for _ in range(9):
        token(client)
    token(client, password=PASSWORD)
    client.cookies.clear()  # an unknown browser

    assert [token(client).status_code for _ in range(2)] == [401, 429]


def test_each_try_is_free_again_when_its_own_time_is_over(client, monkeypatch):
    monkeypatch.setattr(login_limits, "TRY_SECONDS", 3)
    for _ in range(9):
        token(client)
    time.sleep(1.5)
    token(client)
    assert token(client).status_code == 429

    time.sleep(1.7)

    assert [token(client).status_code for _ in range(10)] == [401] * 9 + [429]


def test_the_page_says_the_limit_in_a_sentence(client):
    for _ in range(10):
        token(client)

    page = client.post("/accounts/login/", {"username": "ben", "password": PASSWORD})

    assert page.status_code == 200
    assert page.context["form"].non_field_errors() == ["Too many attempts. Try again in 15 minutes."]
    assert CountingHasher.calls == 10


def test_the_admin_says_the_limit_in_a_sentence(client):
    for _ in range(10):
        client.post("/admin/login/", {"username": "ben", "password": "wrong"})

    page = client.post("/admin/login/", {"username": "ben", "password": PASSWORD})

    assert page.status_code == 200
    assert page.context["form"].non_field_errors() == ["Too many attempts. Try again in 15 minutes."]
    assert CountingHasher.calls == 10


def test_without_a_request_ten_wrong_tries_are_the_most(ben):
    assert authenticate(None, username="ben", password=PASSWORD) == ben
    for _ in range(10):
        authenticate(None, username="ben", password="wrong")

    with pytest.raises(TooMany):
        authenticate(None, username="ben", password=PASSWORD)


@pytest.mark.django_db(transaction=True)
async def test_asynchronous_sign_in_is_limited_too(ben):
    request = AsyncRequestFactory().post("/")
    assert await aauthenticate(request, username="ben", password=PASSWORD) == ben
    for _ in range(10):
        await aauthenticate(request, username="ben", password="wrong")

    with pytest.raises(TooMany):
        await aauthenticate(request, username="ben", password=PASSWORD)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_stands_for_what_one_subscriber_holds(address, network):
    assert network_of(address) == network


def test_no_password_is_kept_in_the_errors(client, caplog):
    token(client, password="canary-5up3r-secret")

    assert "canary" not in caplog.text
