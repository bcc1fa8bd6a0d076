from datetime import UTC, datetime

import pytest

from accounts.services import access_revoke, account_update
from livestream.actors import actor_of
from livestream.errors import Denied

pytestmark = pytest.mark.django_db(transaction=True)


def test_signing_out_makes_sockets_come_back_as_who_they_are_then(client, ben, eve, told):
    bens, eves = told(ben), told(eve)
    client.force_login(ben)

    client.post("/accounts/logout/")

    assert bens() == [(4000, "signed out")]
    assert eves() == []
    assert client.get("/api/v1/auth/me/").status_code == 401


def test_signing_out_of_nothing_tells_nobody(client):
    assert client.post("/accounts/logout/").status_code == 302


def test_a_change_of_rights_ends_what_is_open(mo, ben, told):
    bens = told(ben)

    account_update(user_id=ben.pk, actor=actor_of(mo), changes={"is_staff": True})

    assert bens() == [(4401, "sign in again")]


def test_a_change_of_name_ends_nothing(mo, ben, told):
    bens = told(ben)

    account_update(user_id=ben.pk, actor=actor_of(mo), changes={"display_name": "Benny", "is_staff": False})

    ben.refresh_from_db()
    assert ben.display_name == "Benny"
    assert bens() == []


def test_nobody_lays_down_their_own_rights(mo):
    with pytest.raises(Denied):
        account_update(user_id=mo.pk, actor=actor_of(mo), changes={"is_active": False})

    mo.refresh_from_db()
    assert mo.is_active


def test_who_is_not_staff_changes_no_account(ben, eve):
    with pytest.raises(Denied):
        account_update(user_id=eve.pk, actor=actor_of(ben), changes={"display_name": "Silly"})


def test_a_rolled_back_change_ends_nothing(ben, told):
    from django.db import transaction

    bens = told(ben)

    with transaction.atomic():
        access_revoke(user_id=ben.pk, now=datetime.now(UTC))
        transaction.set_rollback(True)

    assert bens() == []
