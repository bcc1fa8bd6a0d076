"""Receivers of the signals of the packages below."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from accounts.signals import access_revoked
from livestream.circuit_breaker import Circuit, circuit_changed
from streams.services.provider.gateway_connections import person_resources_end
from streams.services.show.provider_health import provider_health_note


@receiver(circuit_changed)
def note_provider_health(*, circuit: Circuit, reason: str, **_: Any) -> None:
    """Record the state of a provider's circuit breaker."""
    provider_health_note(circuit, reason)


@receiver(access_revoked)
def end_connections(*, user_id: UUID, now: datetime, **_: Any) -> None:
    """End a person's connections through the gateways."""
    person_resources_end(user_id, now)
