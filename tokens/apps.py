"""Media tokens, for browsers and encoders alike. Only their hashes are stored."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """The tokens app."""

    name = "tokens"

    def ready(self) -> None:
        from streams.services.provider.join_enforcement import when_joining  # noqa: PLC0415 - needs the app registry
        from streams.services.provider.media_pass import when_presented  # noqa: PLC0415 - needs the app registry
        from tokens import receivers, services  # noqa: F401, PLC0415 - connects the signals
        from tokens.join_verdict import join_verdict  # noqa: PLC0415 - needs the app registry

        when_joining(join_verdict)
        when_presented(services.pass_read)
