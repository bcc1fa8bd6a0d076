"""People: accounts, log-in, tickets for sockets."""

from contextlib import suppress
from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """The accounts app."""

    name = "accounts"

    def ready(self) -> None:
        post_migrate.connect(_moderators_after_the_last_app)
        from accounts import email_addresses, recovery, sign_out  # noqa: F401, PLC0415 - register themselves; need the app registry


def _moderators_after_the_last_app(sender: AppConfig, **_: Any) -> None:
    """Create the moderators' group after the last app has created its permissions."""
    if sender is list(apps.get_app_configs())[-1]:
        from accounts.demo_accounts import moderators_group_ensure  # noqa: PLC0415 - needs the app registry

        with suppress(RuntimeError):  # permissions are missing if only some apps were migrated
            moderators_group_ensure()
