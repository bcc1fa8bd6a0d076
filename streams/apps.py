"""Sessions: lifecycle, audience, stage, media providers."""

from django.apps import AppConfig


class StreamsConfig(AppConfig):
    """The streams app."""

    name = "streams"

    def ready(self) -> None:
        from streams import receivers  # noqa: F401, PLC0415 - connects the signals
