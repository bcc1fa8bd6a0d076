"""Sessions: lifecycle, audience, stage, media providers."""

from django.apps import AppConfig


class StreamsConfig(AppConfig):
    """The streams app."""

    name = "streams"
