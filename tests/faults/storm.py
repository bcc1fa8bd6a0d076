"""A storm: senders and viewers in one room, faults in the middle, and the checks once the room is quiet again."""

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.checker import OK, UNKNOWN, Fault, Sent, Stored, Storm, Verdict, check, percentile
from tests.faults.client import RoomClient
from tests.faults.cluster import Cluster
from tests.live import Api, Person

FULL = os.environ.get("STORM", "") == "full"
QUIET_SECONDS = 20.0
PAGE = 100

MESSAGES = """
    SELECT m.seq, 'chat.message', m.id::text, m.client_id, u.username, m.removed_at IS NOT NULL
    FROM chat_chatmessage m LEFT JOIN accounts_user u ON u.id = m.user_id WHERE m.session_id = %s
"""
EVENTS = """
    SELECT seq, type, data->>'id', NULL, NULL, FALSE FROM streams_sessionevent WHERE session_id = %s
"""


@dataclass(frozen=True)
class Size:
    """The size of a storm. `rate` is messages a second of all senders together."""

    senders: int = 5
    viewers: int = 15
    rate: float = 20.0
    seconds: float = 6.0


SIZE = Size(senders=20, viewers=100, rate=50.0, seconds=120.0) if FULL else Size()


def sized(small: Any, full: Any) -> Any:
    """Return the first in CI, the second in full."""
    return full if FULL else small


@dataclass
class Room:
    """A show on the cluster and its clients."""

    cluster: Cluster
    host: Person
    session_id: str
    clients: list[RoomClient] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    @classmethod
    async def open(cls, cluster: Cluster) -> "Room":
        """Return a new show of a new host."""
        host = await asyncio.to_thread(cluster.live.person, "ada")
        return cls(cluster, host, await asyncio.to_thread(cluster.live.show, host))

    def client(self, name: str, *, person: Person | None = None, **options: Any) -> RoomClient:
        """Add a new client to the room, alternately on one worker and on the other."""
        made = RoomClient(
            name=person.username if person else name,
            addresses=options.pop("addresses", self.cluster.addresses),
            session_id=self.session_id,
            access=person.access if person else None,
            turn=options.pop("turn", len(self.clients)),
            **options,
        )
        self.clients.append(made)
        made.start()
        return made

    async def fill(self, size: Size) -> tuple[list[RoomClient], list[RoomClient]]:
        """Add senders and viewers, all of them greeted."""
        senders = [self.client("", person=person) for person in self.cluster.crowd[: size.senders]]
        viewers = [self.client(f"viewer-{number}") for number in range(size.viewers)]
        await asyncio.gather(*(client.greeted(30) for client in self.clients))
        return senders, viewers

    @contextlib.asynccontextmanager
    async def fault(self, name: str) -> AsyncIterator[None]:
        """Record a fault for the length of a block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.faults.append(Fault(name, began, time.monotonic()))

    async def post(self, client_id: str) -> None:
        """Post as the host over HTTP."""
        began = time.monotonic()
        body = {"text": f"by HTTP {client_id}", "client_id": client_id}
        answer = await asyncio.to_thread(self.host.post, f"sessions/{self.session_id}/messages/", body)
        assert answer.status == 201, answer
        stored = (answer.data["id"], answer.data["seq"], time.monotonic())
        self.sent.append(Sent(self.host.username, client_id, began, OK, *stored))

    async def head(self) -> int:
        """Return the room's last number from PostgreSQL."""
        rows = await asyncio.to_thread(
            self.cluster.sql, "SELECT head_seq FROM streams_streamsession WHERE id = %s", self.session_id
        )
        return int(rows[0][0])

    async def quiet(self, seconds: float = QUIET_SECONDS) -> float:
        """Wait until every client is at the head, or the timeout; return the wait."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            head = await self.head()
            if all(client.last >= head for client in self.clients if not client.finished):
                break
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    def _stored(self, statement: str) -> list[Stored]:
        values = [self.session_id] * statement.count("%s")
        return [Stored(*row) for row in self.cluster.sql(f"{statement} ORDER BY 1", *values)]

    def _by_api(self) -> list[Stored]:
        found: list[Stored] = []
        reader = Api(self.host.url, self.host.access)  # the host's own connection may have died with a worker
        while True:
            after = found[-1].seq if found else 0
            page = reader.get(f"sessions/{self.session_id}/messages/?after={after}&limit={PAGE}")
            assert page.status == 200, page
            for message in page.data["results"]:
                user = message["user"]["username"] if message["user"] else None
                stored = (message["seq"], "chat.message", message["id"], message["client_id"], user, message["removed"])
                found.append(Stored(*stored))
            if len(page.data["results"]) < PAGE:
                return found

    async def logs(self) -> Storm:
        """Return all logs, with the stored messages read both ways."""
        by_sql = await asyncio.to_thread(self._stored, f"{MESSAGES} UNION ALL {EVENTS}")
        by_api = await asyncio.to_thread(self._by_api)
        sent = self.sent + [one for client in self.clients for one in client.sent]
        return Storm(sent, [client.watched for client in self.clients], by_api, by_sql, self.faults)

    async def leave(self) -> None:
        """Disconnect everybody."""
        await asyncio.gather(*(client.stop() for client in self.clients))


@dataclass
class Outcome:
    """The result of a storm."""

    verdict: Verdict
    storm: Storm
    clients: list[RoomClient]

    @property
    def sent(self) -> list[Sent]:
        return self.storm.sent

    @property
    def codes(self) -> Counter[int | None]:
        """Return the close codes that clients received."""
        return Counter(close.code for client in self.clients for close in client.closes)

    @property
    def downs(self) -> list[float]:
        """Return the clients' downtimes."""
        return [seconds for client in self.clients for seconds in client.down_seconds()]

    def recovery(self) -> float | None:
        """Return the longest recovery from any fault; None when a client never recovered."""
        times = list(self.verdict.recovery_seconds.values())
        return None if None in times else max((time for time in times if time is not None), default=0.0)

    def first_ok_after(self, at: float) -> float | None:
        """Return seconds from a moment to the first acknowledgement after it."""
        later = [one.done_at for one in self.sent if one.outcome == OK and one.done_at and one.done_at >= at]
        return min(later) - at if later else None

    def worst_ack(self) -> float:
        """Return the longest time from sending to acknowledgement, retries included."""
        return max((one.done_at - one.invoked_at for one in self.sent if one.done_at), default=0.0)

    def summary(self) -> dict[str, Any]:
        """Return the measured numbers of the row."""
        outcomes = Counter(one.outcome for one in self.sent)
        acks = [one.done_at - one.invoked_at for one in self.sent if one.done_at]
        recovery = self.recovery()
        return {
            "sent": len(self.sent),
            "ok": outcomes[OK],
            "unknown": outcomes[UNKNOWN],
            "findings": len(self.verdict.findings),
            "viewers": len(self.clients),
            "reconnects": sum(self.codes.values()),
            "codes": {str(code): count for code, count in sorted(self.codes.items(), key=str)},
            "down_max_s": round(max(self.downs, default=0.0), 2),
            "recovery_s": None if recovery is None else round(recovery, 2),
            "ack_p50_ms": round(1000 * percentile(acks, 0.5), 1),
            "ack_max_ms": round(1000 * max(acks, default=0.0), 1),
            "gap_syncs": sum(client.syncs for client in self.clients),
        }


Script = Callable[[Room], Awaitable[None]]


async def storm(cluster: Cluster, script: Script | None = None, *, size: Size = SIZE, lead: float = 1.0) -> Outcome:
    """Run a storm with a script of faults in it; the script starts after `lead` seconds and may outlast the sending."""
    room = await Room.open(cluster)
    try:
        senders, _ = await room.fill(size)
        sending = asyncio.create_task(send_openly(senders, size=size))
        if script is not None:
            await asyncio.sleep(lead)
            await script(room)
        await sending
        await room.quiet()
        logs = await room.logs()
        return Outcome(check(logs), logs, room.clients)
    finally:
        await room.leave()


async def send_openly(senders: list[RoomClient], *, size: Size, prefix: str = "") -> None:
    """Send on schedule regardless of the answers (open loop); return when the last one is answered or given up."""
    began, saying = time.monotonic(), []
    for number in range(int(size.rate * size.seconds)):
        await asyncio.sleep(max(0.0, began + number / size.rate - time.monotonic()))
        sender = senders[number % len(senders)]
        saying.append(asyncio.create_task(sender.say(f"message {number}", client_id=f"{prefix}{number}")))
    await asyncio.gather(*saying)
