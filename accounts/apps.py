"""People: accounts, sign-in, tickets for sockets."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The accounts app."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import sign_out  # noqa: F401, PLC0415 - registers itself; needs the app registry
