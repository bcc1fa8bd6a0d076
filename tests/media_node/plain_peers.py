"""An engine with publishers and viewers without sockets, keys or waiting: their packets are plain."""

import time
import uuid
from collections import defaultdict
from types import SimpleNamespace

from bench.media.client import MID_NUMBER, RID_NUMBER, VIDEO_TYPE, MediaClient, extended
from media_node.config import Limits, NodeConfig
from media_node.grants import Grant
from media_node.rooms.engine import Engine
from media_node.wire.rtcp import nack
from media_node.wire.rtp import rtp_build, rtp_parse
from tests.media_node.show import ROOM, SECRET
from tests.media_node.stagehands import vp8

MANY = 10**6
LIMITS = Limits(posts_per_user=MANY, posts_per_user_burst=MANY, pending_per_user=MANY, peers_per_user=MANY)


def _same(data):
    return data


class Keys:
    """Replaces the keys of a finished handshake, and changes nothing."""

    protect = unprotect = protect_rtcp = unprotect_rtcp = staticmethod(_same)


class Hall:
    """A node's engine. `arrived` are the publishers' packets in order of arrival: source, number."""

    def __init__(self):
        self.engine = Engine(NodeConfig(secret=SECRET, udp_port=0, http_port=0, limits=LIMITS))
        self.now = time.monotonic()
        self.arrived = []

    _offers = {}

    def grant(self, user, role):
        now = time.time()
        return Grant(
            sub=user,
            jti=uuid.uuid4().hex,
            session=ROOM,
            role=role,
            name=user,
            node="",
            iat=now,
            exp=now + 600,
            stage="",
        )

    def offer(self, role, layers=()):
        """Return the offer of such a party, and its sources by layer."""
        if (role, layers) not in self._offers:
            client = MediaClient(role, layers=layers)
            section = client.sections[-1]
            ssrcs = client.layer_ssrcs if layers else {"": client.video_ssrc}
            self._offers[role, layers] = (client.offer(), dict(ssrcs), section.mid)
            client.close()
        return self._offers[role, layers]

    def connect(self, peer, send):
        """Do the work of ICE and DTLS."""
        peer.srtp = SimpleNamespace(inbound=Keys(), outbound=Keys())
        peer.address, peer.send = ("192.0.2.1", 9), send
        self.engine.handshake_done(peer)
        peer.on_connected(self.now)

    def tick(self, seconds=0.05):
        self.now += seconds
        self.engine.on_fast_tick(self.now)


class Sender:
    """One publication. Each of its sources sends frames of two packets, and every payload identifies itself."""

    def __init__(self, hall, *, layers, name, start):
        sdp, self.ssrcs, self.mid = hall.offer("publisher", layers)
        self.hall, self.name = hall, name
        self.peer, _ = hall.engine.publish(grant=hall.grant("ada", "publisher"), token="t", sdp=sdp, caller=None)
        hall.connect(self.peer, lambda data, address: len(data))
        self.numbers = dict.fromkeys(self.ssrcs, start)
        self.pictures = dict.fromkeys(self.ssrcs, 0)
        self.lost = []

    def send(self, rid, *, is_key, is_lost=False):
        """Send the next frame of a layer, without its first packet if that is to be lost."""
        self.pictures[rid] += 1
        picture = self.pictures[rid]
        first = vp8(is_key=is_key, picture=picture, base=picture)
        for index, head in enumerate((first, b"\x80" + first[1:5] + b"rest")):
            self.numbers[rid] += 1
            number = self.numbers[rid]
            packet = rtp_build(
                marker=128 * index,
                payload_type=VIDEO_TYPE,
                sequence=number & 0xFFFF,
                timestamp=picture * 3000,
                ssrc=self.ssrcs[rid],
                payload=head + f"|{self.name}|{rid}|{number}".encode(),
            )
            if rid:
                packet = extended(packet, {MID_NUMBER: self.mid.encode(), RID_NUMBER: rid.encode()})
            if is_lost and index == 0:
                self.lost.append((rid, number, packet))
            else:
                self._arrive(rid, number, packet)

    def repair(self):
        """Deliver the lost packet late."""
        for rid, number, packet in self.lost:
            self._arrive(rid, number, packet)
        self.lost = []

    def _arrive(self, rid, number, packet):
        self.hall.arrived.append(((self.name, rid), number))
        self.peer.receive_rtp(packet, now=self.hall.now)


class Seen:
    """A packet that a viewer got: the node's position in `arrived`, its source, and the packet."""

    def __init__(self, at, packet):
        name, rid, number = packet.payload.decode("latin-1").rsplit("|", 3)[1:]
        self.at, self.source, self.number, self.packet = at, (name, rid), int(number), packet


class Watching:
    """One viewer of the host."""

    def __init__(self, hall, user):
        self.hall = hall
        sdp, _, _ = hall.offer("viewer")
        self.seen, self.repeated = [], defaultdict(list)
        self._awaits = None
        self.peer, _ = hall.engine.watch(grant=hall.grant(user, "subscriber"), token="t", sdp=sdp, caller=None)
        self.since = len(hall.arrived)
        hall.connect(self.peer, self._take)
        self.peer.link.limit = 1e7

    def _take(self, data, address):
        if not 192 <= data[1] <= 223:
            packet = rtp_parse(data)
            if self._awaits is not None:
                self.repeated[self._awaits].append(packet)
            elif packet.payload_type == VIDEO_TYPE:
                self.seen.append(Seen(len(self.hall.arrived) - 1, packet))
        return len(data)

    @property
    def is_here(self):
        return not self.peer.is_closed

    def ask_again(self, seen):
        """Report this packet as lost; return the packets sent in response."""
        self._awaits = seen.packet.sequence
        feedback = nack(ssrc=1, media_ssrc=seen.packet.ssrc, sequences=[seen.packet.sequence])
        self.peer.receive_rtcp(feedback, now=self.hall.now)
        self._awaits = None
        return self.repeated.pop(seen.packet.sequence, [])

    def stretches(self):
        """Return the received packets, split where the source changes."""
        cut = []
        for seen in self.seen:
            if not cut or cut[-1][-1].source != seen.source:
                cut.append([])
            cut[-1].append(seen)
        return cut
