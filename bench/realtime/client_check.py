"""Checks that the load client detects faults, with a server that loses, duplicates and reorders messages on purpose.

Runs before every benchmark; a client that overlooks a planted fault would make every contestant look good.
"""

import asyncio
import tempfile
import threading
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

from bench.realtime.client import Dialect, Load, Viewer

DIALECT = Dialect(message='{"id":"%I","text":"%M"}', envelope="")
VIEWERS, MESSAGES = 3, 20
LOST, DOUBLED, SWAPPED, JOINED = 3, 5, 7, 9


class FaultyServer:
    """A room with one publisher. The last viewer gets one message lost, one duplicated, two swapped."""

    def __init__(self) -> None:
        self.viewers: list[ServerConnection] = []
        self.number = 0
        self.kept = ""

    async def handle(self, viewer: ServerConnection) -> None:
        """Forward every message to everybody."""
        self.viewers.append(viewer)
        await viewer.ping()
        async for text in viewer:
            assert isinstance(text, str)
            self.number += 1
            for other in self.viewers:
                for frame in self._frames(text, badly=other is self.viewers[-1]):
                    await other.send(frame)
            self.kept = text

    def _frames(self, text: str, *, badly: bool) -> list[str]:
        if self.number == JOINED:
            return []
        if self.number == JOINED + 1:
            return [f"{self.kept}\n{text}"]  # two documents in one frame are two messages
        if not badly:
            return [text]
        if self.number == LOST or self.number == SWAPPED:
            return []
        if self.number == SWAPPED + 1:
            return [text, self.kept]
        return [text, text] if self.number == DOUBLED else [text]


def check_client() -> None:
    """Raise AssertionError when the client does not report exactly the planted faults."""
    port: list[int] = []
    ready, over = threading.Event(), threading.Event()

    async def run() -> None:
        async with serve(FaultyServer().handle, "127.0.0.1", 0, compression=None) as server:
            port.append(next(iter(server.sockets)).getsockname()[1])
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10), "the faulty server did not start"
    viewers = [Viewer(port[0], 0, "/", publisher=number == 0) for number in range(VIEWERS)]
    with tempfile.TemporaryDirectory() as folder:
        options = {"dialect": DIALECT, "text_bytes": 64, "pids": [], "folder": Path(folder), "core": None}
        with Load(viewers=viewers, connecting=1, **options) as load:  # type: ignore[arg-type]
            figures = load.open(MESSAGES, warm=0, seconds=1, drain=0.2)
    over.set()
    thread.join()
    found = {key: figures[key] for key in ("sent", "expected", "received", "lost", "doubled", "disordered", "broken")}
    expected = {"sent": MESSAGES, "expected": MESSAGES * VIEWERS, "received": MESSAGES * VIEWERS - 1, "lost": 1}
    expected |= {"doubled": 1, "disordered": 1, "broken": 0}
    assert found == expected, f"the load client miscounts: {found}, planted: {expected}"


if __name__ == "__main__":
    check_client()
    print("the load client found every planted fault")
