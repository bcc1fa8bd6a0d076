"""Slow request bodies, from any server."""

import asyncio
import json

import pytest

from livestream.http import body_limit
from livestream.http.body_limit import limited


class Sender:
    """Sends a body in parts, each after a pause; then nothing more."""

    def __init__(self, *parts, whole=False):
        self.parts, self.whole, self.sent = list(parts), whole, []

    async def receive(self):
        if not self.parts:
            await asyncio.Future()
        pause, part = self.parts.pop(0)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": part, "more_body": bool(self.parts) or not self.whole}

    async def send(self, event):
        self.sent.append(event)

    async def served(self, application):
        await limited(application, {"type": "http", "headers": []}, self.receive, self.send)
        return self.sent[0]["status"], self.sent[1]["body"]


async def reads_all(scope, receive, send):
    size, more = 0, True
    while more:
        event = await receive()
        size, more = size + len(event["body"]), event["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(body_limit, "BODY_SECONDS", 0.2)


@pytest.mark.parametrize("parts", [[], [(0, b"x")], [(0.05, b"x")] * 20], ids=["nothing", "one byte", "drops"])
async def test_a_body_that_does_not_come_is_refused(parts):
    began = asyncio.get_running_loop().time()
    status, body = await Sender(*parts).served(reads_all)

    assert (status, json.loads(body)["error"]["code"]) == (408, "too_slow")
    assert asyncio.get_running_loop().time() - began < 1


async def test_a_large_body_may_take_longer():
    """As from a phone with a weak signal: 4 KiB each tenth of a second, for longer than an empty body may take."""
    sender = Sender(*[(0.1, b"x" * 4096)] * 6, whole=True)

    assert await sender.served(reads_all) == (200, b"24576")


async def test_an_application_may_wait_for_its_caller_to_leave_as_long_as_it_likes():
    async def waits(scope, receive, send):
        assert not (await receive())["more_body"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.5)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert await Sender((0, b"x"), whole=True).served(waits) == (200, b"")
