"""Credentials: media tokens and stream keys. Only their hashes are kept."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """The tokens app."""

    name = "tokens"

    def ready(self) -> None:
        from streams.services.credentials import when_lost  # noqa: PLC0415 - needs the app registry
        from streams.services.endings import when_over  # noqa: PLC0415 - needs the app registry
        from tokens.services import (  # noqa: PLC0415 - needs the app registry
            person_tokens_revoke,
            session_tokens_revoke,
        )

        when_over(session_tokens_revoke)
        when_lost(person_tokens_revoke)
