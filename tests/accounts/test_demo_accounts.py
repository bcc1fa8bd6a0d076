import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from accounts.demo_accounts import demo_people_create, moderators_group_ensure
from accounts.models import User

pytestmark = pytest.mark.django_db


def test_the_demonstration_has_its_five_people(settings, client):
    settings.DEMO = True

    call_command("demo")

    people = User.objects.order_by("username").values_list("username", "is_staff", "is_superuser")
    assert list(people) == [
        ("admin", True, True),
        ("buyer", False, False),
        ("buyer2", False, False),
        ("moderator", True, False),
        ("seller", False, False),
    ]
    for username, _, _ in people:
        body = {"username": username, "password": "demo"}
        assert client.post("/api/v1/auth/token/", body, content_type="application/json").status_code == 200


def test_making_the_demo_people_again_changes_nothing(settings):
    settings.DEMO = True
    demo_people_create()
    User.objects.filter(username="buyer").update(display_name="Changed")
    before = list(User.objects.order_by("pk").values())

    demo_people_create()

    assert list(User.objects.order_by("pk").values()) == before
    assert Group.objects.count() == 1


def test_there_are_no_demo_people_anywhere_else():
    with pytest.raises(CommandError):
        call_command("demo")

    assert not User.objects.exists()


def test_moderators_may_moderate_and_may_not_give_rights(settings):
    settings.DEMO = True
    demo_people_create()
    moderator = User.objects.get(username="moderator")

    held = moderator.get_all_permissions()

    assert {
        "streams.change_streamsession",
        "chat.change_chatmessage",
        "accounts.view_user",
    } <= held
    assert not {name for name in held if name.startswith(("auth.", "tokens."))}
    assert {name for name in held if name.startswith("accounts.")} == {"accounts.view_user"}


def test_the_moderators_group_loses_what_does_not_belong_there():
    from django.contrib.auth.models import Permission

    group = moderators_group_ensure()
    wanted = set(group.permissions.all())
    group.permissions.add(Permission.objects.get(codename="change_user"))

    moderators_group_ensure()

    assert set(group.permissions.all()) == wanted
