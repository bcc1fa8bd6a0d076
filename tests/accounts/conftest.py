"""People, and a recorder of the messages to their sockets."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from accounts.models import User
from livestream.realtime.groups import carrier_of, user_group
from tests.accounts.hashers import CountingHasher

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def counting(settings: Any) -> None:
    """Replace the hasher by one that takes no time and counts its calls."""
    settings.PASSWORD_HASHERS = ["tests.accounts.hashers.CountingHasher"]
    CountingHasher.calls = 0


@pytest.fixture
def ben(db: None) -> User:
    return User.objects.create_user("ben", password=PASSWORD, display_name="Ben")


@pytest.fixture
def eve(db: None) -> User:
    return User.objects.create_user("eve", password=PASSWORD, display_name="Eve")


@pytest.fixture
def mo(db: None) -> User:
    return User.objects.create_user("mo", password=PASSWORD, display_name="Mo", is_staff=True)


@pytest.fixture
def told(settings: Any) -> Callable[[User], Callable[[], list[tuple[int, str]]]]:
    """`listen = told(ben)` starts listening; `listen()` returns the closes (code, reason) that ben's sockets got."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    layer = get_channel_layer()

    def start(user: User) -> Callable[[], list[tuple[int, str]]]:
        channel = async_to_sync(layer.new_channel)()
        async_to_sync(layer.group_add)(carrier_of(user_group(user.pk)), channel)

        def closes() -> list[tuple[int, str]]:
            queue, heard = layer.channels.get(channel), []
            while queue is not None and not queue.empty():
                message = queue.get_nowait()[1]
                if message["group"] == user_group(user.pk):
                    heard.append((message["code"], message["reason"]))
            return heard

        return closes

    return start
