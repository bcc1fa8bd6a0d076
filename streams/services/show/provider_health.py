"""Records of the providers' circuit breakers for operators."""

import logging

from django.db import DatabaseError, transaction
from django.utils import timezone

from livestream.circuit_breaker import Circuit
from livestream.identifiers import process_name
from streams.models import ProviderHealth

PROCESS = process_name()

logger = logging.getLogger(__name__)


def provider_health_note(circuit: Circuit, reason: str) -> None:
    """Store the last change. A database error here never blocks a call to the provider."""
    try:
        with transaction.atomic():
            ProviderHealth.objects.update_or_create(
                provider=circuit.name[:20],
                defaults={
                    "state": str(circuit.state),
                    "reason": reason[:60],
                    "failures": circuit.failures,
                    "process": PROCESS,
                    "changed_at": timezone.now(),
                },
            )
    except DatabaseError as error:
        logger.warning("provider health not kept provider=%s error=%s", circuit.name, type(error).__name__)
