"""Site staff, and a person who is none."""

import pytest
from django.test import Client

from accounts.demo_accounts import moderators_group_ensure
from accounts.models import User


def _logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada", password="canary-password")


@pytest.fixture
def mo(db: None) -> User:
    user = User.objects.create_user("mo", is_staff=True)
    user.groups.add(moderators_group_ensure())
    return user


@pytest.fixture
def ben(db: None) -> User:
    return User.objects.create_user("ben")


@pytest.fixture
def as_admin(ada: User) -> Client:
    return _logged_in(ada)


@pytest.fixture
def as_moderator(mo: User) -> Client:
    return _logged_in(mo)


@pytest.fixture
def as_buyer(ben: User) -> Client:
    return _logged_in(ben)
