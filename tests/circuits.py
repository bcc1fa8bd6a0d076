"""The circuit breakers of this process, which outlive a test."""

from livestream import circuit_breaker


def circuits_forget() -> None:
    """Start anew with all of them closed."""
    circuit_breaker._circuits.clear()
