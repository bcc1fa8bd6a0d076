"""Email addresses: verified by a link of one use, changed with the password, and limited."""

import re

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from accounts.email_addresses import LINK_SECONDS, clean_email, verification_token
from accounts.mail import MAILS_PER_HOUR
from accounts.models import User
from accounts.services import password_set
from livestream.errors import Invalid
from livestream.models import OutboxTask
from tests.accounts.conftest import PASSWORD
from tests.outbox import sweep, waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()


def change(client, user, email, password=PASSWORD):
    client.force_login(user)
    return client.post("/accounts/email/", {"email": email, "password": password})


def link_in(mail):
    return re.search(r"^http://localhost:8000(/accounts/email/\S+)$", mail.body, re.MULTILINE).group(1)


def mailed_link(mailoutbox):
    sweep()
    return link_in(mailoutbox[-1])


def addresses(user):
    user.refresh_from_db()
    return user.email, user.pending_email


def test_an_address_given_at_sign_up_is_verified_by_its_link_once(client, mailoutbox):
    client.post("/accounts/signup/", {"username": "cleo", "password": PASSWORD, "email": "Cleo@Example.com"})
    cleo = User.objects.get()
    assert addresses(cleo) == ("", "cleo@example.com")

    link = mailed_link(mailoutbox)
    assert mailoutbox[0].to == ["cleo@example.com"]
    client.logout()
    assert client.get(link).status_code == 200
    assert addresses(cleo) == ("", "cleo@example.com")  # opening it, as mail programs do, confirms nothing
    assert client.post(link).status_code == 302
    assert addresses(cleo) == ("cleo@example.com", "")
    assert (client.get(link).status_code, client.post(link).status_code) == (400, 400)


def test_the_api_takes_an_address_or_none(client):
    body = {"username": "dan", "password": PASSWORD}
    assert client.post("/api/v1/auth/register/", body, content_type="application/json").status_code == 201
    body = {"username": "eli", "password": PASSWORD, "email": "no address"}
    answer = client.post("/api/v1/auth/register/", body, content_type="application/json")

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["email"])
    assert waiting("mail") == []


def test_a_new_address_takes_effect_once_verified_and_the_former_one_is_notified(client, ben, mailoutbox):
    User.objects.filter(pk=ben.pk).update(email="old@example.com")

    change(client, ben, "new@example.com")
    link = mailed_link(mailoutbox)
    assert addresses(ben) == ("old@example.com", "new@example.com")
    client.post(link)
    sweep()

    assert addresses(ben) == ("new@example.com", "")
    assert [mail.to for mail in mailoutbox] == [["new@example.com"], ["old@example.com"]]
    assert "localhost" not in mailoutbox[1].body


def test_removing_the_address_notifies_it(client, ben, mailoutbox):
    User.objects.filter(pk=ben.pk).update(email="old@example.com")

    change(client, ben, "")
    sweep()

    assert addresses(ben) == ("", "")
    assert [mail.to for mail in mailoutbox] == [["old@example.com"]]


@pytest.mark.parametrize("case", ["replaced", "password", "closed", "foreign", "forged", "expired"])
def test_a_link_that_is_no_good_is_refused(client, ben, eve, mailoutbox, monkeypatch, case):
    change(client, ben, "first@example.com")
    link = mailed_link(mailoutbox)
    if case == "replaced":
        change(client, ben, "second@example.com")
    if case == "password":
        password_set(user_id=ben.pk, password="another horse entirely")
    if case == "closed":
        User.objects.filter(pk=ben.pk).update(is_active=False)
    if case == "foreign":  # the link of somebody else's address
        eve.pending_email = "first@example.com"
        link = f"/accounts/email/{verification_token(eve)}/"
    if case == "forged":
        link = link[:-3] + ("aa/" if link[-3:-1] != "aa" else "bb/")
    if case == "expired":
        monkeypatch.setattr("accounts.email_addresses.LINK_SECONDS", -1)

    assert LINK_SECONDS == 3 * 24 * 3600
    assert (client.get(link).status_code, client.post(link).status_code) == (400, 400)
    assert not User.objects.exclude(email="").exists()


def test_an_address_that_another_account_verified_is_refused(client, ben, eve, mailoutbox):
    change(client, ben, "shared@example.com")
    link = mailed_link(mailoutbox)
    User.objects.filter(pk=eve.pk).update(email="shared@example.com")

    assert client.post(link).status_code == 409
    assert addresses(ben) == ("", "shared@example.com")


def test_whether_an_address_has_an_account_is_not_told(client, ben, eve):
    User.objects.filter(pk=eve.pk).update(email="taken@example.com")

    taken, free = (change(client, ben, address) for address in ("taken@example.com", "free@example.com"))

    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"]) == (302, "/accounts/")


def test_a_change_takes_the_password_and_no_demo_account(client, ben):
    assert change(client, ben, "new@example.com", password="wrong").status_code == 400
    assert change(client, ben, "no address").status_code == 400
    User.objects.filter(pk=ben.pk).update(is_demo=True)
    client.force_login(ben)
    assert addresses(ben) == ("", "")
    assert waiting("mail") == []


def test_a_demo_account_has_no_address(client, ben, settings):
    settings.DEMO = True
    User.objects.filter(pk=ben.pk).update(is_demo=True)

    assert change(client, ben, "new@example.com").status_code == 403
    assert addresses(ben) == ("", "")


def test_mails_to_an_address_are_limited_whoever_causes_them(client, mailoutbox):
    for number in range(MAILS_PER_HOUR + 2):
        body = {"username": f"person{number}", "password": PASSWORD, "email": "victim@example.com"}
        assert client.post("/api/v1/auth/register/", body, content_type="application/json").status_code == 201
        sweep()

    assert len(mailoutbox) == MAILS_PER_HOUR
    assert waiting("mail") == []


def test_changes_are_limited(client, ben):
    answers = [change(client, ben, f"n{number}@example.com").status_code for number in range(6)]

    assert answers == [302] * 5 + [429]


def test_links_use_the_configured_address_and_not_the_host_header(client, ben, mailoutbox, settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.LINK_ORIGIN = "https://live.example"
    client.force_login(ben)
    body = {"email": "new@example.com", "password": PASSWORD}
    client.post("/accounts/email/", body, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    sweep()

    assert "https://live.example/accounts/email/" in mailoutbox[0].body
    assert "evil" not in mailoutbox[0].body


def test_no_link_is_stored_and_a_silent_server_is_asked_again(client, ben, mailoutbox, monkeypatch):
    def refuse(self):
        raise ConnectionRefusedError

    change(client, ben, "new@example.com")
    assert "token" not in str(OutboxTask.objects.get().payload)
    with monkeypatch.context() as broken:
        broken.setattr("accounts.mail.EmailMessage.send", refuse)
        sweep()
    assert waiting("mail") == [f"verify_email:{ben.pk}"]

    sweep(60)
    assert [mail.to for mail in mailoutbox] == [["new@example.com"]]


@given(st.one_of(st.text(max_size=300), st.emails()))
def test_a_cleaned_address_is_stable_and_of_one_line(text):
    try:
        address = clean_email(text)
    except Invalid:
        return
    assert clean_email(address) == address == address.lower()
    assert address.isascii()
    assert len(address.split()) <= 1
