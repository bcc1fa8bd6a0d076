"""Sessions: lifecycle, audience, stage, media providers."""

from django.apps import AppConfig


class StreamsConfig(AppConfig):
    """The streams app."""

    name = "streams"

    def ready(self) -> None:
        from accounts.withdrawals import when_withdrawn  # noqa: PLC0415 - needs the app registry
        from livestream.circuit_breaker import when_circuits_change  # noqa: PLC0415 - needs the app registry
        from streams.services.provider.gateway_resources import person_resources_end  # noqa: PLC0415 - needs the app registry
        from streams.services.show.provider_health import provider_health_note  # noqa: PLC0415 - needs the app registry

        when_circuits_change(provider_health_note)
        when_withdrawn(person_resources_end)
