"""Credentials: media tokens and stream keys. Only their hashes are kept."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """The tokens app."""

    name = "tokens"
