from itertools import pairwise

import pytest
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import User
from accounts.services import NEW_PASSWORDS_PER_HOUR, password_set
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "another horse entirely"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def change(client, headers=None, old=PASSWORD, new=NEW):
    body = {"old_password": old, "new_password": new}
    return client.post("/api/v1/auth/password/", body, content_type="application/json", headers=headers)


def test_a_new_password_revokes_every_token(client, ben):
    old = RefreshToken.for_user(ben)
    assert client.get("/api/v1/auth/me/", headers=bearer(old.access_token)).status_code == 200

    answer = change(client, bearer(old.access_token))

    refused = client.get("/api/v1/auth/me/", headers=bearer(old.access_token))
    refresh = client.post("/api/v1/auth/token/refresh/", {"refresh": str(old)}, content_type="application/json")
    assert answer.status_code == 200
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "token.invalid"
    assert refresh.status_code == 401
    assert client.get("/api/v1/auth/me/", headers=bearer(answer.json()["access"])).status_code == 200


def test_a_new_password_ends_sessions_elsewhere(client, ben, django_user_model):
    other = type(client)()
    other.force_login(ben)
    client.force_login(ben)

    page = client.post("/accounts/password/", {"old_password": PASSWORD, "new_password": NEW})

    assert page.status_code == 302
    assert client.get("/api/v1/auth/me/").status_code == 200
    assert other.get("/api/v1/auth/me/").status_code == 401


def test_a_new_password_closes_the_sockets(client, ben, eve, told):
    bens, eves = told(ben), told(eve)
    client.force_login(ben)

    change(client)

    assert bens() == [(4401, "sign in again")]
    assert eves() == []


def test_the_old_password_must_be_right(client, ben, told):
    bens = told(ben)
    client.force_login(ben)

    answer = change(client, old="wrong")

    assert answer.status_code == 400
    assert answer.json()["error"]["fields"] == {"old_password": ["That isn't your current password."]}
    assert User.objects.get(pk=ben.pk).check_password(PASSWORD)
    assert bens() == []


def test_guessing_the_old_password_is_limited_like_signing_in(client, ben):
    client.force_login(ben)

    answers = [change(client, old="wrong").status_code for _ in range(12)]

    assert answers == [400] * 10 + [429] * 2
    assert change(client).status_code == 429


def test_a_password_is_not_changed_again_and_again(client, ben):
    words = [PASSWORD, *(f"{NEW} {number}" for number in range(NEW_PASSWORDS_PER_HOUR + 1))]

    answers = []
    for old, new in pairwise(words):
        client.force_login(User.objects.get(pk=ben.pk))
        answers.append(change(client, old=old, new=new))

    assert [answer.status_code for answer in answers] == [200] * NEW_PASSWORDS_PER_HOUR + [429]
    assert "several times" in answers[-1].json()["error"]["message"]
    assert User.objects.get(pk=ben.pk).check_password(words[-2])


def test_the_new_password_must_be_good(client, ben):
    client.force_login(ben)

    answer = change(client, new="short")

    assert list(answer.json()["error"]["fields"]) == ["new_password"]
    assert User.objects.get(pk=ben.pk).check_password(PASSWORD)


def test_somebody_without_a_password_cannot_sign_in(client, ben):
    password_set(user_id=ben.pk, password=None)

    body = {"username": "ben", "password": PASSWORD}
    assert client.post("/api/v1/auth/token/", body, content_type="application/json").status_code == 401


def test_refreshing_gives_a_new_access_token_and_keeps_the_refresh_token(client, ben):
    refresh = str(RefreshToken.for_user(ben))

    answer = client.post("/api/v1/auth/token/refresh/", {"refresh": refresh}, content_type="application/json")

    assert answer.status_code == 200
    assert answer.json()["refresh"] == refresh
    assert client.get("/api/v1/auth/me/", headers=bearer(answer.json()["access"])).status_code == 200


@pytest.mark.parametrize("forge", ["x", "", "a.b.c", "access", "closed", "gone", "x" * 5000])
def test_a_refresh_token_that_is_no_good_is_refused(client, ben, forge):
    refresh = RefreshToken.for_user(ben)
    text = str(refresh.access_token) if forge == "access" else str(refresh) if forge in ("closed", "gone") else forge
    if forge == "closed":
        User.objects.filter(pk=ben.pk).update(is_active=False)
    if forge == "gone":
        ben.delete()

    answer = client.post("/api/v1/auth/token/refresh/", {"refresh": text}, content_type="application/json")

    assert answer.status_code in (400, 401)
    assert set(answer.json()) == {"error"}
