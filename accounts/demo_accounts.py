"""The moderators' group, and the accounts of the demo mode."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts.models import User

MODERATORS = "Moderators"
DEMO_PASSWORD = "demo"  # noqa: S105 - printed by `make run`, and only there in the demonstration mode

# Permissions of moderators in the admin. Evidence (messages, the audit log) is read-only.
MODERATOR_PERMISSIONS: dict[str, tuple[str, ...]] = {
    "accounts.user": ("view",),
    "streams.streamsession": ("view", "change"),
    "streams.sessionsettings": ("view",),
    "streams.sessiontransition": ("view",),
    "streams.sessionevent": ("view",),
    "streams.participant": ("view", "change"),
    "streams.sessionmoderator": ("view",),
    "streams.guestrequest": ("view", "change"),
    "streams.auditentry": ("view",),
    "chat.chatmessage": ("view", "change"),
}


@dataclass(frozen=True)
class DemoPerson:
    """A demo account."""

    username: str
    display_name: str
    is_staff: bool = False
    is_superuser: bool = False


DEMO_PEOPLE = (
    DemoPerson("seller", "Sam the seller"),
    DemoPerson("buyer", "Bea"),
    DemoPerson("buyer2", "Ben"),
    DemoPerson("moderator", "Mo", is_staff=True),
    DemoPerson("admin", "Ada", is_staff=True, is_superuser=True),
)


def moderators_group_ensure() -> Group:
    """Create or update the moderators' group with exactly these permissions. Idempotent."""
    codenames = {
        (model.partition(".")[0], f"{verb}_{model.partition('.')[2]}")
        for model, verbs in MODERATOR_PERMISSIONS.items()
        for verb in verbs
    }
    known = Permission.objects.select_related("content_type")
    wanted = [
        permission
        for permission in known.filter(content_type__app_label__in={app for app, _ in codenames})
        if (permission.content_type.app_label, permission.codename) in codenames
    ]
    if len(wanted) != len(codenames):
        raise RuntimeError("a moderator permission does not exist; run migrate first")
    with transaction.atomic():
        group, _ = Group.objects.get_or_create(name=MODERATORS)
        group.permissions.set(wanted)
    return group


def demo_people_create() -> list[User]:
    """Create missing demo accounts; existing ones stay as they are.

    Their password is public, so this raises RuntimeError outside the demo mode.
    """
    if not settings.DEMO:
        raise RuntimeError("demo people exist only in the demonstration mode (DEMO=1): everybody knows their password")
    moderators = moderators_group_ensure()
    User.objects.filter(is_demo=True, is_active=False).update(is_active=True)
    existing = {user.username: user for user in User.objects.filter(username__in=[p.username for p in DEMO_PEOPLE])}
    return [existing.get(person.username) or _demo_person_create(person, moderators) for person in DEMO_PEOPLE]


def demo_people_close() -> int:
    """Disable the demo accounts, whose password is public. Return how many were active."""
    return User.objects.filter(is_demo=True, is_active=True).update(is_active=False)


def _demo_person_create(person: DemoPerson, moderators: Group) -> User:
    with transaction.atomic():
        user, made = User.objects.get_or_create(
            username=person.username,
            defaults={
                "display_name": person.display_name,
                "password": make_password(DEMO_PASSWORD),
                "is_staff": person.is_staff,
                "is_superuser": person.is_superuser,
                "is_demo": True,
            },
        )
        if made and person.is_staff:
            user.groups.add(moderators)
    return user
