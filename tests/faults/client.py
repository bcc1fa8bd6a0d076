"""A conforming client of the room socket, as docs/protocol.md describes one, that logs all actions and shown events.

It resumes by epoch and number, requests missing events, watches the beat, obeys close codes, backs off with full
jitter, and sends an unanswered message again under the same client_id.
"""

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.faults.checker import FAIL, OK, Screen, Sent, Shown, Watched

SILENCE_SECONDS = 25.0
ANSWER_SECONDS = 5.0
OPEN_SECONDS = 5.0
BACKOFF_BASE, BACKOFF_CAP = 0.5, 5.0
BEAT_PATIENCE_SECONDS = 0.5
# After these answers it is unknown whether the message is stored: the same one is sent again.
TRY_AGAIN = ("unavailable", "chat.unavailable", "internal", "session.busy", "too_many")


@dataclass(frozen=True)
class Close:
    """One end of a connection: time, code, and seconds until the next greeting (None: never)."""

    at: float
    code: int | None
    reason: str = ""


class RoomClient:
    """One client in one room. `addresses` are used in turn, one per attempt to connect."""

    def __init__(
        self,
        *,
        name: str,
        addresses: Sequence[str],
        session_id: str,
        access: str | None = None,
        turn: int = 0,
        jitter: bool = True,
        silence_seconds: float = SILENCE_SECONDS,
        query: str = "",
    ) -> None:
        self.name = name
        self.watched = Watched(name)
        self.sent: list[Sent] = []
        self.closes: list[Close] = []
        self.greeted_at: list[float] = []
        self.failed_attempts = 0
        self.syncs = 0
        self.recovered = 0
        self.counts: list[tuple[float, int]] = []
        self.session: dict[str, Any] = {}
        self.epoch = ""
        self.last = 0
        self.finished = False
        self._addresses, self._session_id, self._access = addresses, session_id, access
        self._turn, self._jitter, self._silence = turn, jitter, silence_seconds
        self._first_query = query
        self._refs = itertools.count(1)
        self._socket: ClientConnection | None = None
        self._greeted = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._jobs: set[asyncio.Task[Any]] = set()
        self._syncing = False
        self._task: asyncio.Task[None] | None = None

    # ---- Connection ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and stay connected until `stop`."""
        self._task = asyncio.create_task(self._stay())

    async def greeted(self, seconds: float = 15.0) -> None:
        """Wait for a greeting."""
        async with asyncio.timeout(seconds):
            await self._greeted.wait()

    async def stop(self) -> None:
        """Close for good."""
        self.finished = True
        for task in [self._task, *self._jobs]:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def drop(self) -> None:
        """Drop the connection without a close frame; the client reconnects by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _stay(self) -> None:
        attempt = 0
        while not self.finished:
            before = len(self.greeted_at)
            code, reason = await self._one_connection()
            if len(self.greeted_at) > before:
                attempt = 0
                self.closes.append(Close(time.monotonic(), code, reason))
            else:
                self.failed_attempts += 1
            if code is not None and 4400 <= code <= 4499:
                self.finished = True
                return
            await asyncio.sleep(self._wait_seconds(attempt, code, reason))
            attempt += 1

    def _wait_seconds(self, attempt: int, code: int | None, reason: str) -> float:
        asked = 0.0
        if code is not None and 4100 <= code <= 4199:
            with contextlib.suppress(ValueError):
                asked = float(reason)
        ceiling = min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt)
        return asked + (random.random() * ceiling if self._jitter else 0.0 if attempt == 0 else ceiling)

    async def _one_connection(self) -> tuple[int | None, str]:
        address = self._addresses[self._turn % len(self._addresses)]
        self._turn += 1
        query = f"?epoch={self.epoch}&after={self.last}" if self.epoch else f"?{self._first_query}"
        headers = {"Authorization": f"Bearer {self._access}"} if self._access else {}
        try:
            socket = await connect(
                f"{address}/ws/live/{self._session_id}/{query}",
                additional_headers=headers,
                open_timeout=OPEN_SECONDS,
                close_timeout=0.5,
                ping_interval=None,
                compression=None,
                max_size=None,
                proxy=None,
            )
        except (OSError, TimeoutError, websockets.WebSocketException):
            return None, ""
        self._socket = socket
        try:
            await self._read(socket)
        except (TimeoutError, websockets.ConnectionClosed):
            pass
        finally:
            self._socket = None
            self._greeted.clear()
            self._syncing = False
            for future in self._waiting.values():
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()
            if socket.close_code is None:
                socket.transport.abort()
        return socket.close_code, socket.close_reason or ""

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            async with asyncio.timeout(self._silence):
                frame = await socket.recv()
            assert isinstance(frame, str), "rooms speak text"
            for line in frame.split("\n"):
                self._take(json.loads(line))

    # ---- Receiving -----------------------------------------------------------------------------------------------

    def _take(self, document: dict[str, Any]) -> None:
        if "re" in document:
            future = self._waiting.pop(document["re"], None)
            if future is not None and not future.done():
                future.set_result(document)
            return
        match document["type"]:
            case "snapshot":
                self._start_screen(document["data"])
                self._is_greeted()
            case "resumed":
                self._resumed(document["data"])
            case "beat":
                self._beat(document["data"])
            case "viewers":
                self.counts.append((time.monotonic(), document["data"]["count"]))
            case _ if document.get("seq") is not None:
                self._event(document)

    def _start_screen(self, data: dict[str, Any]) -> None:
        visible = {message["id"] for message in data["messages"] if not message["removed"]}
        self.epoch, self.last, self.session = data["epoch"], data["seq"], data["session"]
        self.counts.append((time.monotonic(), data["viewers"]))
        self.watched.screens.append(Screen(after=self.last, visible=visible, began_at=time.monotonic()))

    def _resumed(self, data: dict[str, Any]) -> None:
        if not data["recovered"]:
            return  # a snapshot follows
        assert data["epoch"] == self.epoch, "a room of another epoch cannot be resumed"
        self.recovered += 1
        for event in data["events"]:
            self._show(event)
        assert self.last >= data["seq"], f"{self.name}: resumed up to {data['seq']}, but the events end at {self.last}"
        self._is_greeted()

    def _is_greeted(self) -> None:
        if not self._greeted.is_set():
            self.greeted_at.append(time.monotonic())
            self._greeted.set()

    def _event(self, event: dict[str, Any]) -> None:
        if event["seq"] > self.last + 1:
            self._sync()
        else:
            self._show(event)

    def _show(self, event: dict[str, Any]) -> None:
        """Show an event unless it was shown before. The checker detects omissions."""
        if event["seq"] <= self.last:
            return
        self.last = event["seq"]
        data, screen = event["data"], self.watched.screens[-1]
        screen.shown.append(Shown(event["seq"], event["type"], data.get("id"), time.monotonic()))
        if event["type"] == "chat.message" and not data["removed"]:
            screen.visible.add(data["id"])
        elif event["type"] == "chat.removed":
            screen.visible.discard(data["id"])
        elif event["type"] == "session.changed":
            self.session = data["session"]

    def _beat(self, data: dict[str, Any]) -> None:
        if data["epoch"] != self.epoch or data["seq"] > self.last:
            self._spawn(self._look_again(data["epoch"], data["seq"]))

    async def _look_again(self, epoch: str, seq: int) -> None:
        await asyncio.sleep(BEAT_PATIENCE_SECONDS)
        if epoch != self.epoch or seq > self.last:
            self._sync()

    def _sync(self) -> None:
        if not self._syncing:
            self._syncing = True
            self.syncs += 1
            self._spawn(self._ask_for_missing())

    async def _ask_for_missing(self) -> None:
        try:
            reply = await self.command("sync", epoch=self.epoch, after=self.last)
        finally:
            self._syncing = False
        if reply is None or not reply["ok"]:
            return  # the next event or beat requests it again
        if reply["data"]["recovered"]:
            for event in reply["data"]["events"]:
                self._show(event)
        else:
            self._start_screen(reply["data"]["snapshot"])

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    # ---- Sending -------------------------------------------------------------------------------------------------

    async def command(self, op: str, *, seconds: float = ANSWER_SECONDS, **data: Any) -> dict[str, Any] | None:
        """Send a command once; return its reply, or None when the connection or the timeout ended first."""
        socket = self._socket
        if socket is None:
            return None
        ref = f"r{next(self._refs)}"
        future: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = future
        try:
            async with asyncio.timeout(seconds):
                await socket.send(json.dumps({"id": ref, "op": op, "data": data}))
                return await future
        except (TimeoutError, websockets.ConnectionClosed):
            return None
        finally:
            self._waiting.pop(ref, None)

    async def say(self, text: str, *, client_id: str, patience_seconds: float = 20.0) -> Sent:
        """Send a message until it is finally answered, or the timeout ends; return the log entry."""
        one = Sent(sender=self.name, client_id=client_id, invoked_at=time.monotonic())
        self.sent.append(one)
        ambiguous = False
        while time.monotonic() - one.invoked_at < patience_seconds and not self.finished:
            if not self._greeted.is_set():
                with contextlib.suppress(TimeoutError):
                    await self.greeted(patience_seconds)
                continue
            one.attempts += 1
            reply = await self.command("chat.send", text=text, client_id=client_id)
            if reply is not None and reply["ok"]:
                one.outcome, one.id, one.seq = OK, reply["data"]["id"], reply["data"]["seq"]
                one.done_at = time.monotonic()
                return one
            error = reply["error"] if reply is not None else {}
            one.code = error.get("code")
            if reply is not None and one.code not in TRY_AGAIN:
                one.outcome = one.outcome if ambiguous else FAIL
                return one
            ambiguous = ambiguous or one.code != "too_many"
            await asyncio.sleep(error.get("retry_after", 0.0) * (1 + 0.2 * random.random()) if error else 0.05)
        return one

    def down_seconds(self) -> list[float]:
        """Return the duration of each loss of connection, from its end to the next greeting."""
        downs = []
        for close in self.closes:
            back = next((at for at in self.greeted_at if at > close.at), None)
            if back is not None:
                downs.append(back - close.at)
        return downs
