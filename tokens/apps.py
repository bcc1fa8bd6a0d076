"""Credentials: media tokens and stream keys. Only their hashes are kept."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """The tokens app."""

    name = "tokens"

    def ready(self) -> None:
        from streams.services.endings import when_over  # noqa: PLC0415 - needs the app registry
        from tokens.services import session_tokens_revoke  # noqa: PLC0415 - needs the app registry

        when_over(session_tokens_revoke)
