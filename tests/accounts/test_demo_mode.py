"""The demo people, whose password is public, exist in demo mode alone."""

import pytest
from django.contrib.auth import authenticate
from rest_framework.test import APIClient

from accounts.demo_accounts import demo_people_close, demo_people_create
from accounts.models import User


@pytest.fixture
def demo_people(db, settings):
    settings.DEMO = True
    demo_people_create()
    return settings


def test_outside_the_demonstration_nobody_signs_in_as_one_of_them(demo_people):
    assert authenticate(username="admin", password="demo").is_superuser

    demo_people.DEMO = False

    assert authenticate(username="admin", password="demo") is None
    answer = APIClient().post("/api/v1/auth/token/", {"username": "admin", "password": "demo"}, format="json")
    assert answer.status_code == 401


def test_a_start_outside_the_demonstration_locks_them_out_and_one_inside_lets_them_back(demo_people):
    assert demo_people_close() == 5
    assert not User.objects.filter(is_demo=True, is_active=True).exists()

    demo_people_create()

    assert User.objects.filter(is_demo=True, is_active=True).count() == 5


def test_people_with_a_password_of_their_own_stay(demo_people):
    User.objects.create_user("ben", password="pass-word-of-ben")

    demo_people_close()

    demo_people.DEMO = False
    assert authenticate(username="ben", password="pass-word-of-ben") is not None


def test_the_log_in_page_keeps_offering_them_after_a_wrong_password(demo_people, client):
    answer = client.post("/accounts/login/", {"username": "seller", "password": "wrong"})

    assert answer.context["form"].errors
    assert answer.content.decode().count("data-demo-person=") == 5
