"""The forms of the pages: an error is beside its field, keeps the input, and changes nothing."""

import pytest
from django.contrib.auth import get_user

from accounts.models import User
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "another horse entirely"


def sign_up(client, rest="", **fields):
    return client.post(f"/accounts/signup/{rest}", {"username": "cleo", "password": PASSWORD, **fields})


def errors(answer):
    """Return the errors of a form by field; `__all__` is the form as a whole."""
    return {name: len(texts) for name, texts in answer.context["form"].errors.items()}


def test_signing_up_logs_in_and_goes_where_one_wanted_to(client):
    answer = sign_up(client, "?next=/studio/")

    assert (answer.status_code, answer["Location"]) == (302, "/studio/")
    assert get_user(client).username == "cleo"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_up_leads_to_no_other_site(client, address):
    answer = sign_up(client, f"?next={address}")

    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_who_is_logged_in_does_not_sign_up(client, ben):
    client.force_login(ben)

    for answer in (client.get("/accounts/signup/"), sign_up(client)):
        assert answer.status_code == 302
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "status", "refused"),
    [
        ({"username": "BEN"}, 409, {"username": 1}),
        ({"username": "admin"}, 400, {"username": 1}),
        ({"username": "b n"}, 400, {"username": 1}),
        ({"password": "12345678"}, 400, {"password": 2}),
        ({"username": "b n", "password": "12345678"}, 400, {"username": 1, "password": 2}),
        ({"username": ""}, 200, {"username": 1}),
    ],
)
def test_a_refusal_stands_beside_its_field_and_keeps_the_name(client, ben, fields, status, refused):
    answer = sign_up(client, display_name="Cleo Watches", **fields)

    page = answer.content.decode()
    assert (answer.status_code, errors(answer)) == (status, refused)
    assert 'value="Cleo Watches"' in page
    assert fields.get("password", PASSWORD) not in page
    assert User.objects.count() == 1
    assert get_user(client).is_anonymous


def test_too_many_accounts_from_one_address_are_refused_over_the_form(client, settings):
    settings.REGISTRATIONS_PER_HOUR = 0

    answer = sign_up(client)

    assert (answer.status_code, errors(answer)) == (429, {"__all__": 1})
    assert not User.objects.exists()


def test_a_display_name_is_saved_or_refused_beside_its_field(client, ben):
    client.force_login(ben)

    assert client.get("/accounts/").context["form"].initial == {"display_name": ben.display_name}
    assert client.post("/accounts/", {"display_name": "Ben of the Hill"}).status_code == 302
    refused = client.post("/accounts/", {"display_name": "Moderator"})

    assert errors(refused) == {"display_name": 1}
    assert refused.status_code in (400, 409)
    assert User.objects.get().display_name == "Ben of the Hill"


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [("wrong", NEW, {"old_password": 1}), (PASSWORD, "12345678", {"new_password": 2})],
)
def test_a_password_that_cannot_be_changed_is_refused_beside_its_field(client, ben, old, new, refused):
    client.force_login(ben)

    answer = client.post("/accounts/password/", {"old_password": old, "new_password": new})

    assert errors(answer) == refused
    assert answer.status_code >= 400
    assert User.objects.get().check_password(PASSWORD)
    assert not get_user(client).is_anonymous


@pytest.mark.parametrize("address", ["/accounts/", "/accounts/password/"])
def test_strangers_are_sent_to_the_log_in_and_back(client, address):
    answer = client.get(address)

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={address}")
