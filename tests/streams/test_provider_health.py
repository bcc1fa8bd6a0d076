"""Changes of circuit breakers are recorded for administrators."""

from livestream.circuit_breaker import circuit_named
from streams.models import ProviderHealth
from tests.circuits import circuits_forget


def test_a_breaker_that_opens_and_closes_is_written_down_and_metered(db, client):
    circuits_forget()
    breaker = circuit_named("livekit")

    for _ in range(5):
        breaker.failed("ReadTimeoutError")
    opened, metered = ProviderHealth.objects.get(), in_metrics(client)
    breaker.succeeded()
    closed, metered_after = ProviderHealth.objects.get(), in_metrics(client)
    circuits_forget()

    assert (opened.provider, opened.state, opened.reason, opened.failures) == ("livekit", "open", "ReadTimeoutError", 5)
    assert (closed.state, closed.failures) == ("closed", 0)
    assert (metered, metered_after) == ("2.0", "0.0")


def in_metrics(client):
    """Return the breaker's value in /metrics."""
    (line,) = [
        line
        for line in client.get("/metrics").content.decode().splitlines()
        if line.startswith('livestream_provider_circuit{provider="livekit"}')
    ]
    return line.rpartition(" ")[2]
