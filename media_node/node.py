"""The process of a media node: startup, signal handling and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from media_node.config import NodeConfig
from media_node.http.server import HttpServer
from media_node.rooms.engine import Engine
from media_node.wire.udp import PortInUse

logger = logging.getLogger(__name__)

FAST_TICK_SECONDS = 0.05
SLOW_TICK_SECONDS = 1.0
FLUSH_SECONDS = 1.5


class NodeStartFailed(Exception):
    """The node cannot start. The text is one plain sentence that says what to do."""


class Node:
    """A complete node: engine, UDP port, HTTP server, reports and timers."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.engine = Engine(config)
        self.http = HttpServer(self.engine)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start serving. Raises NodeStartFailed and leaves nothing open."""
        config = self.config
        try:
            self.engine.udp.open(host=config.udp_host, port=config.udp_port)
        except OSError as error:
            raise NodeStartFailed(_sentence("UDP", config.udp_port, "MEDIA_UDP_PORT", error)) from None
        try:
            await self.http.open(host=config.http_host, port=config.http_port)
        except OSError as error:
            self.engine.udp.close()
            raise NodeStartFailed(_sentence("HTTP", config.http_port, "MEDIA_HTTP_PORT", error)) from None
        self.engine.reporter.start()
        self.engine.reporter.report("node.started", data={"epoch": self.engine.epoch})
        self._tasks = [
            asyncio.create_task(self._every(FAST_TICK_SECONDS, self.engine.on_fast_tick), name="fast tick"),
            asyncio.create_task(self._every(SLOW_TICK_SECONDS, self._slow_tick), name="slow tick"),
        ]
        logger.info("media node started node=%s udp=%d http=%d", config.node, self.engine.udp.port, self.http.port)

    async def stop(self) -> None:
        """Close all peers, deliver the reports that can be delivered quickly, and free the ports."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.engine.close()
        await asyncio.gather(self.http.close(), self.engine.reporter.stop(flush_seconds=FLUSH_SECONDS))
        self.engine.udp.close()

    def _slow_tick(self, now: float) -> None:
        self.engine.on_slow_tick(now)
        self.http.on_slow_tick(now)

    async def _every(self, seconds: float, action: Callable[[float], None]) -> None:
        """Run an action periodically. A failing run is logged and does not end the loop."""
        while True:
            await asyncio.sleep(seconds)
            try:
                action(time.monotonic())
            except Exception as error:
                self.engine.stats.errors += 1
                self.engine.quiet.failure("tick failed", now=time.monotonic(), error=error)


def serve(config: NodeConfig) -> int:
    """Run a node until SIGTERM or SIGINT and return the exit code. If it cannot start, print the reason on stderr."""
    try:
        _run(_serve(config))
    except NodeStartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


async def _serve(config: NodeConfig) -> None:
    node = Node(config)
    await node.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Objects alive now live as long as the process, so the garbage collector need not traverse them.
    gc.collect()
    gc.freeze()
    await stop.wait()
    logger.info("media node stops node=%s", config.node)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(node.stop(), 2.5)


def _run(main: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop  # noqa: PLC0415  -- optional: faster, absent on some systems
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def _sentence(what: str, port: int, setting: str, error: OSError) -> str:
    if isinstance(error, PortInUse):
        return (
            f"The media node cannot use {what} port {port} because another program has it or the system "
            f"forbids it; stop that program or set {setting} to another port."
        )
    return f"The media node cannot open {what} port {port} ({error.strerror}); check {setting} and the host."
