"""Forgotten passwords: the same answer for everybody, and a link of one use to the verified address."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.mail import MAILS_PER_HOUR
from accounts.models import User
from accounts.recovery import REQUESTS_PER_NETWORK, recovery_account, recovery_token
from accounts.services import password_set
from livestream.errors import Invalid
from livestream.models import OutboxTask
from tests.accounts.hashers import CountingHasher
from tests.outbox import sweep, waiting

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "another horse entirely"


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()


@pytest.fixture
def ben(ben):
    ben.email = "ben@example.com"
    ben.save()
    return ben


def forgot(client, email):
    return client.post("/api/v1/auth/password/forgot/", {"email": email}, content_type="application/json")


def reset(client, token, password=NEW):
    body = {"token": token, "password": password}
    return client.post("/api/v1/auth/password/reset/", body, content_type="application/json")


def mailed_link(mailoutbox):
    sweep()
    return re.search(r"^http://localhost:8000(/accounts/password/recover/\S+)$", mailoutbox[-1].body, re.M).group(1)


@pytest.mark.parametrize("name", ["ben", "BEN", "ben@example.com", " Ben@Example.com "])
def test_a_new_password_by_link_over_the_pages(client, ben, mailoutbox, name):
    answer = client.post("/accounts/password/forgot/", {"name": name})
    link = mailed_link(mailoutbox)
    moved = client.get(link)

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert [mail.to for mail in mailoutbox] == [["ben@example.com"]]
    assert moved["Location"] == "/accounts/password/recover/new/"  # the token is in the address no more
    assert client.get(moved["Location"]).status_code == 200
    assert client.post(moved["Location"], {"password": "short"}).status_code == 400
    assert client.post(moved["Location"], {"password": NEW}).status_code == 302
    ben.refresh_from_db()
    assert ben.check_password(NEW)
    assert client.get(link, follow=True).status_code == 400


def test_a_link_ends_sessions_tokens_and_sockets(client, ben, told, mailoutbox):
    bens, refresh = told(ben), RefreshToken.for_user(ben)
    client.force_login(ben)
    assert client.get("/api/v1/auth/me/").status_code == 200

    assert reset(type(client)(), recovery_token(ben)).status_code == 204

    bearer = {"Authorization": f"Bearer {refresh.access_token}"}
    assert client.get("/api/v1/auth/me/").status_code == 401
    assert type(client)().get("/api/v1/auth/me/", headers=bearer).status_code == 401
    assert bens() == [(4401, "sign in again")]


@pytest.mark.parametrize(
    "name", ["ben", "ben@example.com", "eve", "nobody", "nobody@example.com", "pending@example.com", "", "ü"]
)
def test_the_answer_tells_nothing(client, ben, eve, name):
    User.objects.filter(pk=eve.pk).update(pending_email="pending@example.com")

    hashed = CountingHasher.calls

    answer = forgot(client, name)

    assert (answer.status_code, answer.content) == (202, b"")
    assert CountingHasher.calls == hashed


def test_a_known_and_an_unknown_name_take_the_same_path(client, ben, mailoutbox):
    """Both leave one task with nothing but the name; only the sender of mails looks it up."""
    forgot(client, "ben@example.com")
    forgot(client, "nobody@example.com")

    assert sorted(task.payload["name"] for task in OutboxTask.objects.all()) == [
        "ben@example.com",
        "nobody@example.com",
    ]
    assert mailoutbox == []
    sweep()
    assert [mail.to for mail in mailoutbox] == [["ben@example.com"]]
    assert waiting("mail") == []


@pytest.mark.parametrize("case", ["unverified", "closed", "demo", "typed with look-alikes"])
def test_no_mail_goes_to_these(client, ben, mailoutbox, case):
    if case == "unverified":
        User.objects.filter(pk=ben.pk).update(email="", pending_email="ben@example.com")
    if case == "closed":
        User.objects.filter(pk=ben.pk).update(is_active=False)
    if case == "demo":
        User.objects.filter(pk=ben.pk).update(is_demo=True)

    forgot(client, "ben@exampl\u212a.com" if "look" in case else "ben@example.com")
    sweep()

    assert mailoutbox == []


@pytest.mark.parametrize("case", ["used", "password", "address", "closed", "foreign", "forged", "expired", "empty"])
def test_a_link_that_is_no_good_is_refused(client, ben, eve, settings, case):
    token = recovery_token(ben)
    if case == "used":
        assert reset(client, token).status_code == 204
    if case == "password":
        password_set(user_id=ben.pk, password="a third horse here")
    if case == "address":
        User.objects.filter(pk=ben.pk).update(email="new@example.com")
    if case == "closed":
        User.objects.filter(pk=ben.pk).update(is_active=False)
    if case == "foreign":
        User.objects.filter(pk=eve.pk).update(email="eve@example.com")
        token = f"{eve.pk.hex}-{token.partition('-')[2]}"
    if case == "forged":
        token = token[:-2] + ("aa" if token[-2:] != "aa" else "bb")
    if case == "expired":
        settings.PASSWORD_RESET_TIMEOUT = -1
    before = set(User.objects.values_list("password", flat=True))

    answer = reset(client, "x" if case == "empty" else token, "a fourth horse here")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "link.invalid")
    assert set(User.objects.values_list("password", flat=True)) == before


def test_a_forged_link_on_the_page_is_refused_and_stores_nothing(client, ben):
    assert client.get("/accounts/password/recover/x-y-z/").status_code == 400
    assert client.get("/accounts/password/recover/new/").status_code == 400
    assert client.post("/accounts/password/recover/new/", {"password": NEW}).status_code == 400
    assert Session.objects.count() == 0


def test_a_bad_password_leaves_the_link_as_it_is(client, ben):
    token = recovery_token(ben)

    refused = reset(client, token, "ben")

    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["password"])
    assert reset(client, token).status_code == 204


def test_requests_and_mails_are_limited(client, ben, mailoutbox):
    answers = []
    for number in range(REQUESTS_PER_NETWORK + 1):
        answers.append(forgot(client, "ben" if number % 2 else "ben@example.com").status_code)
        if number < 2 * MAILS_PER_HOUR:
            sweep()

    assert answers == [202] * REQUESTS_PER_NETWORK + [429]
    assert len(mailoutbox) == MAILS_PER_HOUR


def test_the_log_in_page_leads_there(client):
    assert 'href="/accounts/password/forgot/"' in client.get("/accounts/login/").content.decode()


@given(st.text(max_size=80))
def test_no_text_is_a_link(text):
    with pytest.raises(Invalid):
        recovery_account(text)
