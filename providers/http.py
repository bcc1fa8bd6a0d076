"""Calls to a provider's HTTP API: bounded, retried with jitter where safe, and skipped while the provider is
unavailable.

The result is JSON, the plain response if requested, or an error of `livestream.errors`. Logs contain only provider,
outcome and duration of a call, because addresses and headers hold credentials.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from livestream.circuit_breaker import Circuit, CircuitOpen, circuit_named
from livestream.database import release_connections
from livestream.errors import ProviderRejected, ProviderUnreachable
from livestream.metrics import PROVIDER_CALLS, PROVIDER_SECONDS
from livestream.retry_policy import TABLE, delays

CALLS = TABLE["provider_calls"]
# Lists of people grow with the show, so calls that request one pass a higher limit.
ANSWER_LIMIT_BYTES, LIST_LIMIT_BYTES = 1024 * 1024, 16 * 1024 * 1024
BUSY = frozenset({429, 500, 502, 503, 504})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of any status. `headers` are case-insensitive."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes


class ProviderHttp:
    """The calls of one adapter. Timeouts for connecting and reading are in seconds; `connections` are kept open."""

    def __init__(
        self,
        provider: str,
        *,
        connect: float = 2.0,
        read: float = 5.0,
        connections: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.provider = provider
        timeout = urllib3.Timeout(connect=connect, read=read)
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, timeout=timeout)
        self._sleep = sleep

    @property
    def circuit(self) -> Circuit:
        """This process's circuit breaker for the provider."""
        return circuit_named(self.provider)

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        absent: bool = False,
        limit: int = ANSWER_LIMIT_BYTES,
    ) -> dict[str, Any]:
        """Make a call and return the response's JSON object. Raises ProviderUnreachable, or ProviderRejected with the
        status.

        `repeatable` False: retried only if nothing can have arrived. `absent`: 404 is an empty result. `limit`: the
        most bytes to read; a longer response raises AnswerTooLong.
        """
        waits = delays(
            attempts=CALLS["attempts"], first=CALLS["first_delay_seconds"], longest=CALLS["longest_delay_seconds"]
        )
        given = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        raw = json.dumps(body).encode() if body is not None else None
        while True:
            try:
                answer = self.exchange(method, url, headers=given, body=raw, limit=limit)
            except ProviderUnreachable as error:
                wait = next(waits, None)
                if wait is None or not (repeatable or isinstance(error, NothingSent)) or isinstance(error, LeftAlone):
                    raise
                self._sleep(wait)
                continue
            return self._understood(answer, absent=absent)

    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        may_hang: bool = False,
        limit: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:
        """Make one request, without retries or redirects, and return the response. Raises ProviderUnreachable, or
        AnswerTooLong.

        `may_hang`: the provider may delay the response until there is something to send, so a late or missing response
        does not mean that it is unavailable.
        """
        release_connections()
        try:
            self.circuit.enter()
        except CircuitOpen as error:
            PROVIDER_CALLS.labels(self.provider, "circuit_open").inc()
            raise LeftAlone(self.provider, "left alone for now", retry_after=error.retry_after) from None
        started = time.monotonic()
        try:
            answer = self._read(method, url, headers, body, limit)
        except urllib3.exceptions.HTTPError as error:
            name = type(error).__name__
            never_sent = isinstance(
                error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
            )
            self._failed(name, counts=never_sent or not may_hang)
            raise (NothingSent if never_sent else ProviderUnreachable)(self.provider, name) from None
        PROVIDER_SECONDS.labels(self.provider).observe(time.monotonic() - started)
        self._judge(answer, may_hang=may_hang, limit=limit)
        return answer

    def _judge(self, answer: Answer, *, may_hang: bool, limit: int) -> None:
        """Update the circuit breaker from a response. Raises ProviderUnreachable if it asks to retry later, or
        AnswerTooLong."""
        outcome = str(answer.status)
        if answer.status in BUSY:
            # A 429 is a response to too many calls. If responses may hang, a busy status only means that there is
            # nothing to send yet.
            if answer.status == 429 or may_hang:
                self.circuit.succeeded()
                PROVIDER_CALLS.labels(self.provider, outcome).inc()
            else:
                self._failed(outcome)
            wait = _seconds(answer.headers.get("Retry-After"))
            raise ProviderUnreachable(self.provider, f"answered {outcome}", retry_after=wait)
        self.circuit.succeeded()
        if len(answer.body) > limit:
            PROVIDER_CALLS.labels(self.provider, "too_long").inc()
            logger.warning("answer too long provider=%s status=%s limit=%s", self.provider, outcome, limit)
            raise AnswerTooLong(self.provider, f"answered more than {limit} bytes", status=answer.status)
        PROVIDER_CALLS.labels(self.provider, outcome).inc()

    def _read(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int) -> Answer:
        """Make the request and read at most one byte more than the limit."""
        response = self._pool.request(
            method, url, body=body, headers=dict(headers), redirect=False, preload_content=False
        )
        try:
            data = response.read(limit + 1)
        finally:
            response.close()  # a completely read response has already returned its connection
        return Answer(response.status, response.headers, data)

    def _failed(self, reason: str, *, counts: bool = True) -> None:
        PROVIDER_CALLS.labels(self.provider, reason).inc()
        if counts:
            self.circuit.failed(reason)

    def _understood(self, answer: Answer, *, absent: bool) -> dict[str, Any]:
        if answer.status == 404 and absent:
            return {}
        if not 200 <= answer.status < 300:
            raise ProviderRejected(self.provider, f"answered {answer.status}", status=answer.status)
        if not answer.body:
            return {}
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise ProviderUnreachable(self.provider, "answered something else than JSON") from None
        return document if isinstance(document, dict) else {"items": document}


class NothingSent(ProviderUnreachable):
    """No connection was made, so the request had no effect."""


class LeftAlone(ProviderUnreachable):
    """The circuit is open; no request was made."""


class AnswerTooLong(ProviderRejected):
    """The answer exceeds the limit; a retry would not help."""


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() and len(text) < 5 else 2.0


def text_at(document: Mapping[str, Any], name: str, provider: str) -> str:
    """Return a required text field. Raises ProviderUnreachable if it is missing."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ProviderUnreachable(provider, f"answered without {name}")
    return value
