"""What becomes of the breakers is written down for the people who run the product."""

from livestream.circuit import circuit_named, circuits_forget
from streams.models import ProviderHealth


def test_a_breaker_that_opens_and_closes_is_written_down(db):
    circuits_forget()
    breaker = circuit_named("livekit")

    for _ in range(5):
        breaker.failed("ReadTimeoutError")
    opened = ProviderHealth.objects.get()
    breaker.succeeded()
    closed = ProviderHealth.objects.get()
    circuits_forget()

    assert (opened.provider, opened.state, opened.reason, opened.failures) == ("livekit", "open", "ReadTimeoutError", 5)
    assert (closed.state, closed.failures) == ("closed", 0)
