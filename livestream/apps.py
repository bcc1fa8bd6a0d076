"""The app of the kernel and the composition root."""

from django.apps import AppConfig


class LivestreamConfig(AppConfig):
    """Registers the system checks."""

    name = "livestream"

    def ready(self) -> None:
        from livestream import checks  # noqa: F401, PLC0415 - registers itself; needs the app registry
