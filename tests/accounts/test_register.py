import pytest

from accounts.models import User
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db
REGISTER = "/api/v1/auth/register/"


def register(client, **fields):
    body = {"username": "ben", "password": PASSWORD, **fields}
    return client.post(REGISTER, body, content_type="application/json")


def test_registering_makes_an_account_and_signs_in(client):
    answer = register(client, display_name="Ben Watches")

    user = User.objects.get()
    body = answer.json()
    me = client.get("/api/v1/auth/me/", headers={"Authorization": f"Bearer {body.pop('access')}"})
    assert answer.status_code == 201
    assert isinstance(body.pop("refresh"), str)
    assert body == {"user": {"id": str(user.pk), "username": "ben", "display_name": "Ben Watches"}}
    assert me.json() == {**body["user"], "is_staff": False, "email": "", "pending_email": ""}
    assert user.check_password(PASSWORD)
    assert not user.is_staff and not user.is_superuser


def test_who_has_no_display_name_is_shown_by_username(client):
    assert register(client).json()["user"]["display_name"] == "ben"


def test_a_name_is_taken_in_whatever_case(client, ben):
    answer = register(client, username="BEN")

    message = "That name is taken. Choose another one."
    assert answer.status_code == 409
    assert answer.json() == {
        "error": {
            "code": "name.taken",
            "message": message,
            "category": "permission",
            "fields": {"username": [message]},
        }
    }
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "name", ["admin", "Moderator", "m0derator", "SYSTEM", "live.stream", "adm1n", "admin7", "root"]
)
def test_a_name_of_the_platform_is_reserved(client, name):
    answer = register(client, username=name)

    assert answer.status_code == 400
    assert answer.json()["error"]["fields"] == {"username": ["That name is reserved. Choose another one."]}
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a-", "ä", "a" * 31, "a\u202eb", "<b>", "a\x00b", "../x"])
def test_a_username_is_made_of_plain_letters(client, name):
    answer = register(client, username=name)

    assert answer.status_code == 400
    assert "username" in answer.json()["error"]["fields"]
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["", "short", "12345678901", "password1", "benbenben", "x" * 257])
def test_a_password_that_guesses_easily_is_refused(client, password):
    answer = register(client, username="benbenben", password=password)

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["password"]
    assert not User.objects.exists()


def test_what_a_password_must_be_is_said_before(client, ben):
    rules = "At least 8 characters."

    assert rules in client.get("/accounts/signup/").content.decode()
    client.force_login(ben)
    assert client.get("/accounts/password/").content.decode().count(rules) == 1


def test_everything_wrong_is_said_at_once(client):
    answer = register(client, username="admin", password="short", display_name="Support")

    assert set(answer.json()["error"]["fields"]) == {"username", "password", "display_name"}


def test_a_display_name_claims_no_office(client):
    answer = register(client, display_name="Livestream Team")

    assert answer.json()["error"]["fields"] == {"display_name": ["That name is reserved. Choose another one."]}


def test_one_address_cannot_fill_the_place_with_accounts(client, settings):
    settings.REGISTRATIONS_PER_HOUR = 2
    for name in ("one", "two"):
        assert register(client, username=name).status_code == 201

    answer = register(client, username="three")

    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many"
    assert 0 < answer.json()["error"]["retry_after"] <= 3600
    assert User.objects.count() == 2


def test_a_stale_token_is_no_obstacle_to_registering(client):
    answer = client.post(
        REGISTER,
        {"username": "ben", "password": PASSWORD},
        content_type="application/json",
        headers={"Authorization": "Bearer stale"},
    )

    assert answer.status_code == 201


def test_a_profile_changes_its_display_name(client, ben):
    client.force_login(ben)

    answer = client.patch("/api/v1/auth/me/", {"display_name": "  Benny \u202e "}, content_type="application/json")

    ben.refresh_from_db()
    assert answer.json() == {
        "id": str(ben.pk),
        "username": "ben",
        "display_name": "Benny",
        "is_staff": False,
        "email": "",
        "pending_email": "",
    }
    assert ben.display_name == "Benny"


def test_a_profile_cannot_make_itself_staff(client, ben):
    client.force_login(ben)

    answer = client.patch(
        "/api/v1/auth/me/", {"is_staff": True, "username": "admin", "id": "1"}, content_type="application/json"
    )

    ben.refresh_from_db()
    assert answer.status_code == 200
    assert (ben.is_staff, ben.username) == (False, "ben")


def test_nobody_in_particular_has_no_profile(client):
    assert client.get("/api/v1/auth/me/").status_code == 401
