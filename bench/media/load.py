"""Synthetic viewers of the media benchmark, in one process: connect, then count in a tight epoll loop.

Each viewer does real ICE and DTLS-SRTP, sends a receiver report a second and a check every five. Most discard packets
after counting them by sequence number; a few spread over the list decrypt theirs and read the publisher's clock, which
gives the delay added between sending and reading.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import resource
import select
import struct
import time
import urllib.parse

import aiohttp
import psutil

from bench.media.client import MediaClient
from bench.media.publish import MARKER
from media_node.wire.rtcp import ReportBlock, receiver_report

CONNECTING_AT_ONCE = 8
PROBES = 6
REPORT_SECONDS = 1.0
_HEADER = struct.Struct("!BBHII")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--tokens", required=True, help="file with one token a line")
    arguments.add_argument("--warm-up", type=float, default=2.0)
    arguments.add_argument("--seconds", type=float, default=8.0)
    arguments.add_argument("--pid", type=int, required=True, help="of the node")
    arguments.add_argument("--pictures", type=int, default=1)
    arguments.add_argument("--sounds", type=int, default=1)
    arguments.add_argument("--switch", action="store_true", help="move everybody down and up once before the window")
    arguments.add_argument("--switching", type=float, default=0.0, help="everybody changes layer so often, in seconds")
    options = arguments.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    with open(options.tokens) as file:
        tokens = file.read().split()
    started = time.monotonic()
    clients, times, resources = asyncio.run(
        connect_all(options.url, tokens, pictures=options.pictures, sounds=options.sounds)
    )
    connected_seconds = time.monotonic() - started
    layer_requests = LayerRequests(resources, tokens)
    if options.switch:
        for quality in ("low", "auto"):
            Crowd(clients, layer_requests=layer_requests, every=options.warm_up, qualities=(quality,)).run(
                seconds=options.warm_up
            )
    Crowd(clients).run(seconds=options.warm_up)
    crowd = Crowd(clients, layer_requests=layer_requests, every=options.switching, qualities=("low", "auto"))
    result = measure(crowd, seconds=options.seconds, pid=options.pid)
    result |= {
        "viewers": len(tokens),
        "connected": len(clients),
        "connect_seconds": connected_seconds,
        "connect_p95_ms": percentile(times, 95) * 1000,
    }
    print(json.dumps(result), flush=True)


class LayerRequests:
    """Requests layers from the node, over one HTTP connection that is kept open."""

    def __init__(self, resources: list[str], tokens: list[str]) -> None:
        self._resources, self._tokens = [urllib.parse.urlsplit(resource) for resource in resources], tokens
        self._connection = http.client.HTTPConnection(self._resources[0].netloc, timeout=5)

    def ask(self, index: int, quality: str) -> None:
        """Request a quality for one viewer."""
        self._connection.request(
            "POST",
            self._resources[index].path + "/layers",
            body=json.dumps({"quality": quality}),
            headers={"Authorization": f"Bearer {self._tokens[index]}"},
        )
        response = self._connection.getresponse()
        response.read()
        if response.status != 204:
            raise RuntimeError(f"layers refused with {response.status}")


async def connect_all(
    url: str, tokens: list[str], *, pictures: int, sounds: int
) -> tuple[list[MediaClient], list[float], list[str]]:
    """Connect all viewers; return them with their times from POST to keys, and their resources."""
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
    async with aiohttp.ClientSession() as session:
        clients = [MediaClient("viewer", pictures=pictures, sounds=sounds) for _ in tokens]
        ways = [connect_one(session, gate, url, token, c) for token, c in zip(tokens, clients, strict=True)]
        done = await asyncio.gather(*ways)
    return clients, [seconds for seconds, _ in done], [resource for _, resource in done]


async def connect_one(
    session: aiohttp.ClientSession, gate: asyncio.Semaphore, url: str, token: str, client: MediaClient
) -> tuple[float, str]:
    async with gate:
        started = time.monotonic()
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
        async with session.post(url, data=client.offer(), headers=headers) as response:
            answer = await response.text()
            if response.status != 201:
                raise RuntimeError(f"{response.status} {answer[:200]}")
            resource = urllib.parse.urljoin(url, response.headers["Location"])
        client.set_answer(answer)
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        client.begin()

        def readable() -> None:
            client.receive()
            moved.set()

        loop.add_reader(client.socket.fileno(), readable)
        while not client.is_ready:
            if time.monotonic() - started > 15 or client.is_over:
                raise RuntimeError("a viewer could not connect")
            moved.clear()
            try:
                await asyncio.wait_for(moved.wait(), 0.2)
            except TimeoutError:
                client.check()
        loop.remove_reader(client.socket.fileno())
        return time.monotonic() - started, resource


class Crowd:
    """Connected viewers, watched for a while. With layer requests, each asks for the next quality at intervals."""

    def __init__(
        self,
        clients: list[MediaClient],
        *,
        layer_requests: LayerRequests | None = None,
        every: float = 0.0,
        qualities: tuple[str, ...] = (),
    ) -> None:
        self.clients = clients
        self._layer_requests, self._every, self._qualities = layer_requests, every, qualities
        self.packets = self.bytes = 0
        self.delays_ms: list[float] = []
        # Per viewer and source: first, highest and count.
        self.seen: list[dict[int, list[int]]] = [{} for _ in clients]
        step = max(1, len(clients) // PROBES)
        self._probes = {*range(0, len(clients), step), len(clients) - 1}

    def run(self, *, seconds: float) -> float:
        """Receive for a time; return the time really spent."""
        poll = select.epoll()
        by_number = {}
        for index, client in enumerate(self.clients):
            client.receive()
            by_number[client.socket.fileno()] = index
            poll.register(client.socket.fileno(), select.EPOLLIN)
        started = next_report = next_request = time.monotonic()
        turn = requested = 0
        while (now := time.monotonic()) - started < seconds:
            for number, _ in poll.poll(0.02):
                self._read(by_number[number])
            while now >= next_report:
                self._feed_back(turn)
                turn += 1
                next_report += REPORT_SECONDS / len(self.clients)
            while self._layer_requests is not None and self._every and now >= next_request:
                quality = self._qualities[requested // len(self.clients) % len(self._qualities)]
                self._layer_requests.ask(requested % len(self.clients), quality)
                requested += 1
                next_request += self._every / len(self.clients)
        poll.close()
        return time.monotonic() - started

    def _read(self, index: int) -> None:
        client = self.clients[index]
        receive, seen, unpack = client.socket.recv, self.seen[index], _HEADER.unpack_from
        is_probe = index in self._probes
        try:
            while True:
                data = receive(2048)
                if not 128 <= data[0] <= 191:
                    client.handle(data)
                    continue
                if 192 <= data[1] <= 223:
                    continue
                _, _, sequence, _, ssrc = unpack(data)
                self.packets += 1
                self.bytes += len(data)
                state = seen.get(ssrc)
                if state is None:
                    seen[ssrc] = [sequence, sequence, 1]
                else:
                    forward = (sequence - state[1]) & 0xFFFF
                    if forward < 0x8000:
                        state[1] += forward
                    state[2] += 1
                if is_probe:
                    self._probe(client, data)
        except BlockingIOError:
            return

    def _probe(self, client: MediaClient, data: bytes) -> None:
        packet = client.decrypt(data)
        at = packet.find(MARKER, 12, 40)
        if at >= 0:
            sent = struct.unpack_from("!Q", packet, at + len(MARKER))[0]
            self.delays_ms.append((time.monotonic_ns() - sent) / 1e6)

    def _feed_back(self, turn: int) -> None:
        index = turn % len(self.clients)
        client = self.clients[index]
        blocks = [ReportBlock(ssrc, 0, 0, state[1], 0) for ssrc, state in self.seen[index].items()]
        client.send_rtcp(receiver_report(ssrc=client.own_ssrc, blocks=blocks))
        if (turn // len(self.clients) + index) % 5 == 0:
            client.check()


def measure(crowd: Crowd, *, seconds: float, pid: int) -> dict[str, object]:
    """Measure one window: the node's cost and the arrived packets."""
    node = psutil.Process(pid)
    before, own_before = node.cpu_times(), time.process_time()
    spent = crowd.run(seconds=seconds)
    after, own_after = node.cpu_times(), time.process_time()
    expected = got = 0
    for seen in crowd.seen:
        for first, highest, count in seen.values():
            expected += highest - first + 1
            got += count
    cpu = (after.user + after.system - before.user - before.system) / spent
    count = len(crowd.clients)
    return {
        "seconds": spent,
        "cpu_cores": cpu,
        "cpu_percent_per_viewer": cpu / count * 100,
        "cpu_us_per_packet": cpu * spent / max(1, crowd.packets) * 1e6,
        "rss_mb": node.memory_info().rss / 1e6,
        "packets_per_second": crowd.packets / spent,
        "mbit_per_viewer": crowd.bytes * 8 / spent / count / 1e6,
        "lost": expected - got,
        "loss_percent": 100 * (expected - got) / expected if expected else 100.0,
        "silent_viewers": sum(1 for seen in crowd.seen if not seen),
        "delay_p50_ms": percentile(crowd.delays_ms, 50),
        "delay_p95_ms": percentile(crowd.delays_ms, 95),
        "delay_samples": len(crowd.delays_ms),
        "loader_cores": (own_after - own_before) / spent,
    }


def percentile(values: list[float], percent: float) -> float:
    """Return the value below which a percentage of the values lies; NaN without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


if __name__ == "__main__":
    main()
