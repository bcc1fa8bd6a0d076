"""Common parts of all stand-ins: a local server, its people, and its refusals."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import jwt


@dataclass
class Person:
    """A person in a room of a stand-in."""

    uid: str
    sends: set[str] = field(default_factory=set)
    muted: set[str] = field(default_factory=set)
    may_publish: bool = True


@dataclass(frozen=True)
class Raw:
    """An answer that is no JSON."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The answer to a malformed or forbidden request."""

    def __init__(self, status: int, body: dict[str, Any] | None = None) -> None:
        self.status, self.body = status, body or {"error": "refused"}


class Quiet(ThreadingHTTPServer):
    """Ignores callers that hang up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error."""


class StandIn:
    """A server on a port of its own. `answer` implements the vendor."""

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, Person]] = {}
        self.banned: set[tuple[str, str]] = set()
        self.closed: set[str] = set()
        self.requests: list[tuple[str, str, Any]] = []
        self.mistakes: list[str] = []
        self.stopped = False
        self.broken: list[int] = []  # statuses to answer the next requests with
        self._server = Quiet(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.stopped = True
        self._server.shutdown()
        self._server.server_close()

    def enter(self, room: str, uid: str, sends: tuple[str, ...] = (), *, may_publish: bool | None = None) -> None:
        """Connect a person, with a token that lets them publish if they do, or if requested."""
        lets = bool(sends) if may_publish is None else may_publish
        self.rooms.setdefault(room, {})[uid] = Person(uid, set(sends), may_publish=lets)

    def present(self, room: str) -> set[str]:
        return set(self.rooms.get(room, {}))

    def senders(self, room: str) -> set[str]:
        return {uid for uid, person in self.rooms.get(room, {}).items() if person.may_publish and person.sends}

    def sending(self, room: str, uid: str) -> set[str]:
        person = self.rooms[room][uid]
        return person.sends - person.muted if person.may_publish else set()

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def answer_to(self, method: str, address: str, headers: Any, body: Any) -> tuple[int, Any]:
        """Answer with access to the query."""
        return self.answer(method, urlsplit(address).path, headers, body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # the body is a packet of its own

            def handle_any(self) -> None:
                if stand_in.stopped:  # kept-open connections end, too
                    self.close_connection = True
                    return
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_json = self.headers.get("Content-Type", "application/json") == "application/json"
                body = (json.loads(raw) if is_json else raw) if raw else None
                stand_in.requests.append((self.command, self.path, body))
                try:
                    if stand_in.broken:
                        raise Refused(stand_in.broken.pop(0))
                    status, answer = stand_in.answer_to(self.command, self.path, self.headers, body)
                except Refused as error:
                    if error.status < 500:
                        stand_in.mistakes.append(f"{self.command} {self.path} {body}: {error.status}")
                    status, answer = error.status, error.body
                except (KeyError, TypeError, ValueError, AssertionError, jwt.PyJWTError) as error:
                    stand_in.mistakes.append(f"{self.command} {self.path} {body}: {error!r}")
                    status, answer = 400, {"error": repr(error)}
                if not isinstance(answer, Raw):
                    payload = b"" if answer is None else json.dumps(answer).encode()
                    answer = Raw(payload, {"Content-Type": "application/json"})
                payload = answer.body
                self.send_response(status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        return Handler


@contextmanager
def running(kind: type[StandIn], **fields: Any) -> Iterator[Any]:
    """Run a stand-in that stops at the end."""
    server = kind(**fields)
    try:
        yield server
    finally:
        server.stop()


def only(body: dict[str, Any], *names: str) -> None:
    """Require that there are no other fields."""
    assert isinstance(body, dict)
    assert set(body) <= set(names), set(body) - set(names)


def basic(headers: Any, user: str, password: str) -> None:
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if headers.get("Authorization") != expected:
        raise Refused(401)
