import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "another horse entirely"


def page(user):
    return reverse("admin:accounts_user_change", args=[user.pk])


def password_page(user):
    return reverse("admin:auth_user_password_change", args=[user.pk])


def test_an_administrator_gives_rights(as_admin, ben):
    group = Group.objects.create(name="Helpers")

    answer = as_admin.post(
        page(ben), {"display_name": "Ben\u202e", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    )

    ben.refresh_from_db()
    assert answer.status_code == 302
    assert (ben.display_name, ben.is_active, ben.is_staff, ben.is_superuser) == ("Ben", True, True, False)
    assert list(ben.groups.all()) == [group]


def test_an_administrator_closes_an_account(as_admin, as_buyer, ben):
    assert as_buyer.get("/api/v1/auth/me/").status_code == 200

    as_admin.post(page(ben), {"display_name": ""})

    assert as_buyer.get("/api/v1/auth/me/").status_code == 401


def test_a_username_stays(as_admin, ben):
    as_admin.post(page(ben), {"username": "other", "is_active": "on"})

    ben.refresh_from_db()
    assert ben.username == "ben"


def test_an_administrator_does_not_lay_down_their_own_rights_by_mistake(as_admin, ada):
    as_admin.post(page(ada), {"display_name": "Ada"})

    ada.refresh_from_db()
    assert (ada.display_name, ada.is_active, ada.is_staff, ada.is_superuser) == ("Ada", True, True, True)


def test_a_moderator_gives_no_rights(as_moderator, mo, ben):
    for user in (mo, ben):
        answer = as_moderator.post(page(user), {"is_active": "on", "is_staff": "on", "is_superuser": "on"})
        assert answer.status_code == 403

    assert not User.objects.filter(is_superuser=True).exists()
    assert as_moderator.get(password_page(ben)).status_code == 403


def test_an_administrator_sets_a_new_password(as_admin, as_buyer, ben):
    assert as_admin.get(password_page(ben)).status_code == 200

    as_admin.post(
        password_page(ben),
        {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "Set"},
    )

    ben.refresh_from_db()
    assert ben.check_password(NEW)
    assert as_buyer.get("/api/v1/auth/me/").status_code == 401


def test_an_administrator_who_sets_their_own_password_stays_logged_in(as_admin, ada):
    as_admin.post(
        password_page(ada),
        {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "Set"},
    )

    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert as_admin.get("/admin/").status_code == 200


def test_only_the_staff_comes_into_the_admin(ben):
    ben.set_password(NEW)
    ben.save()
    client = Client()

    answer = client.post("/admin/login/", {"username": "ben", "password": NEW})

    assert answer.status_code == 200
    assert "staff account" in answer.context["form"].non_field_errors()[0]
    assert client.get("/admin/").status_code == 302
