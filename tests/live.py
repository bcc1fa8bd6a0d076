"""Clients with the abilities of real browsers on a real server: they sign up, call the API and open room sockets."""

import asyncio
import contextlib
import itertools
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.servers import Web

PASSWORD = "correct horse 7 battery"
PATIENCE_SECONDS = 10.0
QUIET_SECONDS = 0.3


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    status: int
    data: Any
    headers: dict[str, str]

    @property
    def code(self) -> str | None:
        """Return the error's code; None when it is no error."""
        return self.data["error"]["code"] if isinstance(self.data, dict) and "error" in self.data else None


class Api:
    """Calls a server's API as one person, or anonymously."""

    def __init__(self, url: str, access: str | None = None) -> None:
        self.url = url
        self.access = access
        self._http = urllib3.PoolManager(maxsize=4, retries=False, timeout=30)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request. `path` is below /api/v1/, or absolute; `body` is sent as JSON unless it is bytes."""
        sent = dict(headers or {})
        if self.access:
            sent.setdefault("Authorization", f"Bearer {self.access}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        url = path if path.startswith("http") else self.url + (path if path.startswith("/") else f"/api/v1/{path}")
        answer = self._http.request(method, url, body=body, headers=sent, redirect=False)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        data = json.loads(answer.data) if is_json and answer.data else answer.data
        return Answer(answer.status, data, dict(answer.headers))

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("POST", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.call("DELETE", path, **options)


@dataclass
class Person(Api):
    """A person with an account on a server."""

    url: str
    access: str
    id: str
    username: str
    display_name: str

    def __post_init__(self) -> None:
        Api.__init__(self, self.url, self.access)

    def by_cookie(self) -> "Visitor":
        """Log the same person in at the log-in page, as a browser does."""
        visitor = Visitor(self.url)
        visitor.log_in(self.username)
        return visitor


class Visitor(Api):
    """Calls the API with cookies, as pages do."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._cookies: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request; keep the cookies that it sets."""
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        sent = {"Cookie": cookie, "X-CSRFToken": self._cookies.get("csrftoken", ""), **(headers or {})}
        answer = super().call(method, path, body, sent)
        # Several cookies are one header here, and their dates have commas.
        self._cookies |= dict(re.findall(r"\b(csrftoken|sessionid)=([^;,]+)", answer.headers.get("set-cookie", "")))
        return answer

    def log_in(self, username: str) -> None:
        """Log in through the form."""
        self.get("/accounts/login/")
        form = urlencode({"username": username, "password": PASSWORD}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.call("POST", "/accounts/login/", form, kind)
        assert answer.status == 302, answer


@dataclass(frozen=True)
class Reply:
    """The answer to one command."""

    ok: bool
    data: dict[str, Any]
    error: dict[str, Any]

    @property
    def code(self) -> str | None:
        return self.error.get("code")


class Closed(Exception):
    """The server closed the socket while something else was expected."""


class RoomSocket:
    """A client of the room socket. `received` is every document that came, replies aside, in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.received: list[dict[str, Any]] = []
        self.frames: list[str] = []
        self.replies: list[dict[str, Any]] = []
        self._refs = itertools.count(1)
        self._read = 0
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._run())
        self.snapshot: dict[str, Any] = {}

    async def _run(self) -> None:
        try:
            async for frame in self.connection:
                assert isinstance(frame, str)
                async with self._changed:
                    self.frames.append(frame)
                    for line in frame.split("\n"):
                        document = json.loads(line)
                        (self.replies if "re" in document else self.received).append(document)
                    self._changed.notify_all()
        except websockets.ConnectionClosed:
            pass
        finally:
            async with self._changed:
                self._changed.notify_all()

    async def _wait(self, found: Any, what: str, seconds: float) -> Any:
        """Wait until `found()` is not None."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while (result := found()) is None:
                    if self._reader.done() or self.connection.close_code is not None:
                        raise Closed(f"closed with {self.connection.close_code} while waiting for {what}")
                    await self._changed.wait()
                return result
        except TimeoutError:
            raise AssertionError(f"no {what} within {seconds} s; received: {self.received[-5:]}") from None

    async def send(self, text: str | bytes) -> None:
        """Send a frame unchanged."""
        await self.connection.send(text)

    async def command(self, op: str, **data: Any) -> Reply:
        """Send a command and wait for its reply."""
        ref = f"r{next(self._refs)}"
        await self.send(json.dumps({"id": ref, "op": op, "data": data}))
        return await self.reply(ref)

    async def reply(self, ref: str | None) -> Reply:
        """Return the (next) reply with this reference."""

        def found() -> dict[str, Any] | None:
            for index, document in enumerate(self.replies):
                if document["re"] == ref:
                    return self.replies.pop(index)
            return None

        document = await self._wait(found, f"reply to {ref}", PATIENCE_SECONDS)
        return Reply(ok=document["ok"], data=document.get("data", {}), error=document.get("error", {}))

    async def next(self, type: str, *, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Return the next unread document of a type; earlier ones are skipped."""

        def found() -> dict[str, Any] | None:
            for index in range(self._read, len(self.received)):
                if self.received[index]["type"] == type:
                    self._read = index + 1
                    return self.received[index]
            return None

        return await self._wait(found, f"{type!r}", seconds)

    async def until(self, holds: Any, *, what: str = "that state", seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until `holds(received)` is true."""
        await self._wait(lambda: True if holds(self.received) else None, what, seconds)

    async def silent(self, *, seconds: float = QUIET_SECONDS) -> bool:
        """Whether nothing durable or directed arrives for a while (beats and viewer counts are not counted)."""
        before = len(self.heard())
        await asyncio.sleep(seconds)
        return len(self.heard()) == before

    def heard(self, *types: str) -> list[dict[str, Any]]:
        """Return the received documents of these types; without any, all but greetings, beats and viewer counts."""
        if types:
            return [document for document in self.received if document["type"] in types]
        return [d for d in self.received if d["type"] not in ("beat", "viewers", "snapshot", "resumed")]

    def seqs(self) -> list[int]:
        """Return the sequence numbers of the received events, in order."""
        return [document["seq"] for document in self.received if "seq" in document]

    async def close_code(self, *, seconds: float = PATIENCE_SECONDS) -> int | None:
        """Wait until the server closes; return its code."""
        async with asyncio.timeout(seconds):
            await self.connection.wait_closed()
            await self._reader
        return self.connection.close_code

    async def close(self) -> None:
        """Close the socket."""
        await self.connection.close()
        await self._reader

    async def drop(self) -> None:
        """Disconnect without a close frame, like a closed laptop."""
        self.connection.transport.abort()
        await self._reader


@dataclass
class Live:
    """A running product and its known people."""

    web: Web
    staff: dict[str, Any]
    variant: str
    _people: dict[str, Person] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.web.url

    @property
    def anybody(self) -> Api:
        """Return an anonymous client."""
        return Api(self.url)

    def person(self, name: str) -> Person:
        """Create an account whose name starts so."""
        username = f"{name}-{secrets.token_hex(4)}"
        body = {"username": username, "password": PASSWORD, "display_name": name.capitalize()}
        answer = Api(self.url).post("auth/register/", body)
        assert answer.status == 201, answer
        user = answer.data["user"]
        return Person(
            url=self.url,
            access=answer.data["access"],
            id=user["id"],
            username=username,
            display_name=user["display_name"],
        )

    @property
    def mo(self) -> Person:
        """Return the moderator."""
        mo = self.staff["mo"]
        return Person(url=self.url, access=mo["access"], id=mo["id"], username=mo["username"], display_name="Mo")

    def show(self, host: Person, *, state: str = "active", **fields: Any) -> str:
        """Create a session in a state; return its id."""
        made = host.post("sessions/", {"title": "A show", **fields})
        assert made.status == 201, made
        session_id: str = made.data["id"]
        steps = {"initializing": [], "active": ["start"], "paused": ["start", "pause"], "ended": ["start", "end"]}
        for step in steps[state]:
            answer = host.post(f"sessions/{session_id}/{step}/")
            assert answer.status == 200, answer
        return session_id

    @contextlib.asynccontextmanager
    async def watching(
        self,
        session_id: str,
        person: Api | None = None,
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        origin: str | None = None,
        greeting: str | None = "snapshot",
    ) -> AsyncIterator[RoomSocket]:
        """Open a room socket. It has been greeted, unless `greeting` is None."""
        sent = dict(headers or {})
        if person is not None and person.access:
            sent.setdefault("Authorization", f"Bearer {person.access}")
        uri = f"{self.web.socket_url}/ws/live/{session_id}/{query}"
        connection = await connect(
            uri, additional_headers=sent, origin=origin, max_size=None, compression=None, close_timeout=1, proxy=None
        )
        room = RoomSocket(connection)
        try:
            if greeting is not None:
                room.snapshot = (await room.next(greeting))["data"]
            yield room
        finally:
            await room.close()
