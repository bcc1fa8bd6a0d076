"""Credentials: media tokens and stream keys. Only their hashes are kept."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """The tokens app."""

    name = "tokens"

    def ready(self) -> None:
        from accounts.withdrawals import when_withdrawn  # noqa: PLC0415 - needs the app registry
        from streams.services.people.credentials import when_lost  # noqa: PLC0415 - needs the app registry
        from streams.services.people.passes import when_presented  # noqa: PLC0415 - needs the app registry
        from streams.services.provider.join_policy import when_arriving  # noqa: PLC0415 - needs the app registry
        from streams.services.show.endings import when_over  # noqa: PLC0415 - needs the app registry
        from streams.services.show.provider_failover import when_switched  # noqa: PLC0415 - needs the app registry
        from tokens import arrivals, services, withdrawals  # noqa: PLC0415 - needs the app registry

        when_over(services.session_tokens_revoke)
        when_lost(services.person_tokens_revoke)
        when_switched(services.session_tokens_revoke)
        when_withdrawn(withdrawals.account_tokens_revoke)
        when_arriving(arrivals.arrival_judgement)
        when_presented(services.pass_read)
