"""Signed reports to web about events in rooms, delivered in order and retried while web is down."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import hmac
import json
import logging
import random
import ssl
import time
import uuid
from collections import deque
from dataclasses import dataclass

import aiohttp

logger = logging.getLogger(__name__)

SIGNATURE_HEADER = "Livestream-Signature"
TOLERANCE_SECONDS = 300
QUEUE_LIMIT = 1000
GIVE_UP_SECONDS = 300.0
_REQUEST_TIMEOUT_SECONDS = 5.0
_BACKOFF_START_SECONDS = 0.2
_BACKOFF_LIMIT_SECONDS = 10.0
# Statuses that a retry cannot change. All others may be caused by a restart or a temporary fault.
_PERMANENT = frozenset({400, 413, 422})


class ReportInvalid(Exception):
    """A report with a wrong signature, or signed too long ago."""


def report_sign(*, body: bytes, secret: str, now: float) -> str:
    """Return the value of the Livestream-Signature header."""
    at = int(now)
    return f"t={at},v1={_mac(body=body, secret=secret, at=at)}"


def report_verify(
    *, body: bytes, header: str, secret: str, now: float, tolerance_seconds: int = TOLERANCE_SECONDS
) -> None:
    """Raise ReportInvalid unless the header signs this body and its time is at most `tolerance_seconds` away."""
    fields = dict(part.partition("=")[::2] for part in header[:256].split(","))
    at_text = fields.get("t", "")
    if not at_text.isascii() or not at_text.isdigit() or len(at_text) > 12:
        raise ReportInvalid("no time")
    expected = _mac(body=body, secret=secret, at=int(at_text))
    if not hmac.compare_digest(expected.encode(), fields.get("v1", "").encode("utf-8", "replace")):
        raise ReportInvalid("signature")
    if abs(now - int(at_text)) > tolerance_seconds:
        raise ReportInvalid("time")


def _mac(*, body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class _Report:
    kind: str
    session: str | None
    body: bytes
    queued_at: float


class Reporter:
    """Delivers reports one at a time. Each is retried for five minutes with growing pauses. The queue holds 1000
    reports and drops the oldest beyond that, because web can query the current state at any time."""

    def __init__(self, *, url: str, secret: str, node: str, certificate: str = "") -> None:
        self._url = url
        self._secret = secret
        self._node = node
        self._certificate = certificate
        self._queue: deque[_Report] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.delivered = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def start(self) -> None:
        """Start delivering on the running loop."""
        if self._url:
            self._task = asyncio.create_task(self._run(), name="media reports")

    def report(
        self,
        kind: str,
        *,
        session: str | None = None,
        user: str | None = None,
        resource: str | None = None,
        data: dict[str, object] | None = None,
        is_latest_enough: bool = False,
    ) -> None:
        """Queue one report. Never blocks and never fails. With `is_latest_enough` it replaces undelivered reports of
        its kind and session."""
        if not self._url:
            return
        at = datetime.datetime.now(tz=datetime.UTC).isoformat()
        body = json.dumps(
            {
                "id": str(uuid.uuid4()),
                "type": kind,
                "node": self._node,
                "at": at,
                "session": session,
                "user": user,
                "resource": resource,
                "data": data or {},
            }
        ).encode()
        if is_latest_enough:
            stale = [report for report in self._queue if (report.kind, report.session) == (kind, session)]
            for report in stale:
                self._queue.remove(report)
        if len(self._queue) >= QUEUE_LIMIT:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(_Report(kind, session, body, time.monotonic()))
        self._idle.clear()
        self._wake.set()

    async def stop(self, *, flush_seconds: float) -> None:
        """Deliver queued reports for up to `flush_seconds`, then stop."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), flush_seconds)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_SECONDS)
        # Trust web's self-signed certificate by its file, any other by the system's authorities.
        trusted = ssl.create_default_context(cafile=self._certificate) if self._certificate else True
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=trusted)) as client:
            while True:
                while self._queue:
                    await self._deliver(client, self._queue[0])
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()

    async def _deliver(self, client: aiohttp.ClientSession, report: _Report) -> None:
        pause = _BACKOFF_START_SECONDS
        while True:
            outcome = await self._attempt(client, report)
            if outcome == "delivered":
                self.delivered += 1
                break
            if outcome == "refused" or time.monotonic() - report.queued_at > GIVE_UP_SECONDS:
                self.dropped += 1
                logger.warning("report given up type=%s outcome=%s", report.kind, outcome)
                break
            # Jitter keeps many nodes from contacting a restarted web at the same instant.
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311
            pause = min(pause * 2, _BACKOFF_LIMIT_SECONDS)
            if not self._queue or self._queue[0] is not report:
                # The full queue dropped this report during the pause.
                return
        if self._queue and self._queue[0] is report:
            self._queue.popleft()

    async def _attempt(self, client: aiohttp.ClientSession, report: _Report) -> str:
        signature = report_sign(body=report.body, secret=self._secret, now=time.time())
        headers = {SIGNATURE_HEADER: signature, "Content-Type": "application/json"}
        try:
            async with client.post(self._url, data=report.body, headers=headers, allow_redirects=False) as answer:
                if answer.status < 300:
                    return "delivered"
                return "refused" if answer.status in _PERMANENT else "unavailable"
        except (aiohttp.ClientError, TimeoutError, OSError):
            return "unreachable"
