"""The engine of a node: its rooms, peers and control operations."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter

from media_node.config import NodeConfig
from media_node.errors import NotLive, TokenInvalid, TooMany
from media_node.forwarding.slot import Send
from media_node.grants import LEEWAY_SECONDS, LIFETIME_LIMIT_SECONDS, Grant, Stage
from media_node.reports import Reporter
from media_node.rooms.peer import Peer
from media_node.rooms.plan_publication import extension_numbers, plan_publication
from media_node.rooms.plan_subscription import is_for_stage
from media_node.rooms.publisher import Publisher
from media_node.rooms.revocations import Revocations
from media_node.rooms.room import Room
from media_node.rooms.token_buckets import QuietLog, TokenBuckets
from media_node.rooms.viewer import Viewer
from media_node.stats import Gauge, Stats
from media_node.wire.answer import answer_write
from media_node.wire.dtls import DtlsIdentity, DtlsState
from media_node.wire.ice_candidates import Addresses
from media_node.wire.negotiation import remote_transport
from media_node.wire.sdp import sdp_parse
from media_node.wire.stun import Address
from media_node.wire.udp import UdpPort

logger = logging.getLogger(__name__)

LOSS_OF_NOTE = 0.05


class Engine:
    """All state of a node. Runs on one event loop; nothing blocks."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.epoch = secrets.token_hex(8)
        self.started_at = time.monotonic()
        self.stats = Stats()
        self.quiet = QuietLog(logger)
        self.identity = DtlsIdentity()
        self.udp = UdpPort(stats=self.stats, quiet=self.quiet)
        self.reporter = Reporter(
            url=config.webhook_url, secret=config.secret, node=config.node, certificate=config.webhook_certificate
        )
        self.revocations = Revocations()
        self.rooms: dict[str, Room] = {}
        self.peers: dict[str, Peer] = {}
        self._handshaking: set[Peer] = set()
        self._publishers: set[Publisher] = set()
        self._peers_by_user: Counter[str] = Counter()
        self._mutes: dict[tuple[str, str], set[str]] = {}
        # Stage roles set by web, with the time. A grant issued later overrides them.
        self._stages: dict[tuple[str, str], tuple[Stage, float]] = {}
        self._version = 0
        self._addresses: Addresses | None = None
        limits = config.limits
        self._user_posts = TokenBuckets(rate=limits.posts_per_user, burst=limits.posts_per_user_burst)
        self._address_posts = TokenBuckets(rate=limits.posts_per_address, burst=limits.posts_per_address_burst)

    # -- joining

    def publish(self, *, grant: Grant, token: str, sdp: str, caller: str | None) -> tuple[Publisher, str]:
        """Create a publication and return it with the answer to its offer. Raises MediaRefused."""
        self._require_room_for_one(grant, caller=caller)
        offer, stage = sdp_parse(sdp), self._stage_of(grant)
        remote = remote_transport(offer)
        tracks, answers = plan_publication(
            offer,
            start_bits_per_second=self.config.publisher_start,
            sources=grant.sources,
            stats=self.stats,
            is_guest=stage in ("cohost", "guest"),
        )
        room = self.rooms.get(grant.session) or Room(engine=self, session=grant.session)
        publisher = Publisher(
            tracks=tracks,
            extensions=extension_numbers(offer),
            room=room,
            stage=stage,
            grant=grant,
            token=token,
            remote=remote,
            caller=caller,
        )
        self._enter(publisher)
        room.admit(publisher)
        self._publishers.add(publisher)
        self.stats.publishers_accepted += 1
        logger.info("publisher accepted session=%s user=%s", grant.session, grant.sub)
        return publisher, answer_write(sections=answers, transport=publisher.local_transport(), bundle=offer.bundle)

    def watch(
        self, *, grant: Grant, token: str, sdp: str, caller: str | None, is_audience: bool = False
    ) -> tuple[Viewer, str]:
        """Create a viewer and return it with the answer to its offer. Raises MediaRefused.

        `is_audience`: a person on stage who wants to receive what the audience receives.

        Raises NotLive while there is nothing to watch, except for participants on stage.
        """
        self._require_room_for_one(grant, caller=caller)
        room, stage = self.rooms.get(grant.session), self._stage_of(grant)
        if room is None and not stage:
            raise NotLive(retry_after=1)  # checked before parsing the offer, the most expensive part
        offer = sdp_parse(sdp)
        remote = remote_transport(offer)
        is_staged = is_for_stage(offer)
        room = room or Room(engine=self, session=grant.session)
        if not (room.is_live or (is_staged and (stage or room.has_media))):
            raise NotLive(retry_after=1)
        plan = room.plan_viewer(offer, is_staged=is_staged)
        viewer = Viewer(
            plan=plan,
            room=room,
            stage=stage,
            is_audience=is_audience,
            grant=grant,
            token=token,
            remote=remote,
            caller=caller,
        )
        self._enter(viewer)
        room.viewers.add(viewer)
        self.stats.viewers_accepted += 1
        return viewer, answer_write(sections=plan.answers, transport=viewer.local_transport(), bundle=offer.bundle)

    def require_not_revoked(self, grant: Grant) -> None:
        """Raise TokenInvalid for a grant that is revoked or made for another node."""
        if grant.node not in ("", self.config.node) or self.revocations.covers(grant):
            raise TokenInvalid()

    # -- control

    def close_room(self, session: str) -> None:
        """End a session's media for all users and refuse the grants issued so far."""
        self.revocations.revoke_session(session=session, now=time.time())
        for book in (self._mutes, self._stages):
            for key in [key for key in book if key[0] == session]:
                book.pop(key)
        room = self.rooms.get(session)
        if room is not None:
            room.close()

    def close_user(self, *, session: str, user: str) -> None:
        """Remove one user from a session and refuse the grants issued so far."""
        self.revocations.revoke_user(session=session, user=user, now=time.time())
        room = self.rooms.get(session)
        if room is not None:
            room.close_user(user)

    def close_publications(self, *, session: str, user: str) -> None:
        """Take one user off the stage: close their publications, refuse their publisher grants issued so far, and let
        them continue as a viewer."""
        self.revocations.revoke_role(session=session, user=user, role="publisher", now=time.time())
        self.set_stage(session=session, user=user, stage="")
        room = self.rooms.get(session)
        if room is not None:
            room.close_publications(user)

    def set_stage(self, *, session: str, user: str, stage: Stage) -> None:
        """Set a user's stage role, overriding the grants issued so far."""
        self._stages[session, user] = (stage, time.time())
        room = self.rooms.get(session)
        if room is not None:
            room.set_stage(user, stage)

    def mute(self, *, session: str, user: str, kind: str) -> None:
        """Stop forwarding this user's audio, video or screen until unmuted. It survives a reconnect."""
        self._mutes.setdefault((session, user), set()).add(kind)
        self._apply_mutes(session=session, user=user)

    def unmute(self, *, session: str, user: str, kind: str) -> None:
        """Resume forwarding."""
        kinds = self._mutes.get((session, user), set())
        kinds.discard(kind)
        if not kinds:
            self._mutes.pop((session, user), None)
        self._apply_mutes(session=session, user=user)

    def mutes_of(self, *, session: str, user: str) -> frozenset[str]:
        """Return the muted kinds of a user's media."""
        return frozenset(self._mutes.get((session, user), ()))

    def mutes_in(self, session: str) -> dict[str, list[str]]:
        """Return all mutes in a session, by user."""
        return {user: sorted(kinds) for (each, user), kinds in self._mutes.items() if each == session}

    # -- services for peers and rooms

    def candidates(self) -> list[str]:
        """Return the ICE candidate lines for an answer."""
        if self._addresses is None:
            self._addresses = Addresses(public=self.config.public_addresses, ipv6=self.udp.has_ipv6)
        return self._addresses.candidates(port=self.udp.port)

    def transmit(self, data: bytes, *, address: Address, send: Send) -> None:
        """Send one datagram that is not media."""
        self.udp.transmit(data, address=address, send=send)

    def bind_address(self, address: Address, peer: Peer) -> None:
        """Route datagrams from this address to the peer, after it authenticated itself from there."""
        self.udp.by_address[address] = peer

    def unbind_address(self, address: Address, peer: Peer) -> None:
        """Stop routing datagrams from this address to the peer."""
        if self.udp.by_address.get(address) is peer:
            del self.udp.by_address[address]

    def handshake_done(self, peer: Peer) -> None:
        """Stop counting the peer as pending, because it has keys."""
        self._handshaking.discard(peer)

    def forget(self, peer: Peer) -> None:
        """Drop every reference to a closed peer."""
        self.peers.pop(peer.resource, None)
        self.udp.by_ufrag.pop(peer.ufrag, None)
        for address in peer.addresses:
            self.unbind_address(address, peer)
        self._handshaking.discard(peer)
        if isinstance(peer, Publisher):
            self._publishers.discard(peer)
        self._peers_by_user[peer.user] -= 1
        if self._peers_by_user[peer.user] <= 0:
            del self._peers_by_user[peer.user]

    def room_changed(self, room: Room) -> None:
        """Drop a room when it is empty."""
        if room.is_empty and self.rooms.get(room.session) is room:
            room.stage.report_tables(time.monotonic())
            del self.rooms[room.session]

    def report_publisher(self, kind: str, publisher: Publisher, *, reason: str | None = None) -> None:
        """Report an event of a publisher to web."""
        logger.info("%s session=%s user=%s reason=%s", kind, publisher.session, publisher.user, reason)
        data: dict[str, object] = {"reason": reason} if reason else {}
        self.reporter.report(
            kind, session=publisher.session, user=publisher.user, resource=publisher.resource, data=data
        )

    def report_slots(self, room: Room, *, data: dict[str, object]) -> None:
        """Report a room's tables to web."""
        self.reporter.report("slots.changed", session=room.session, data=data, is_latest_enough=True)

    def next_version(self) -> int:
        """Return the next version, increasing across all rooms and so within each."""
        self._version += 1
        return self._version

    # -- time

    def on_fast_tick(self, now: float) -> None:
        """Run every 50 ms: handshake timers, lost packets, key frames, silent publishers."""
        for peer in list(self._handshaking):
            if now - peer.created_at > self.config.handshake_seconds:
                self.stats.handshakes_expired += 1
                peer.close("idle")
            else:
                peer.on_handshake_timer()
        for publisher in list(self._publishers):
            publisher.on_tick(now)
        for room in list(self.rooms.values()):
            room.stage.on_tick(now)

    def on_slow_tick(self, now: float) -> None:
        """Run every second: reports to publishers, idle peers, rooms without a publisher for too long."""
        for peer in list(self.peers.values()):
            if now - peer.heard_at > self.config.idle_seconds:
                self.stats.peers_idle += 1
                peer.close("idle")
            elif isinstance(peer, Viewer):
                peer.refill()
            elif isinstance(peer, Publisher) and peer.dtls.state is DtlsState.CONNECTED:
                peer.report(now)
        for room in list(self.rooms.values()):
            if room.dark_since is not None and now - room.dark_since > self.config.hold_seconds:
                room.close_viewers("idle")
        self.revocations.forget_expired(now=time.time())
        # All grants issued before older changes have expired.
        oldest = time.time() - LIFETIME_LIMIT_SECONDS - 2 * LEEWAY_SECONDS
        self._stages = {key: (stage, at) for key, (stage, at) in self._stages.items() if at > oldest}

    def close(self) -> None:
        """Close all peers."""
        for peer in list(self.peers.values()):
            peer.close("closed")

    # -- state for control and metrics

    def rooms_summary(self) -> dict[str, object]:
        """Return all rooms for the control API."""
        return {
            "node": self.config.node,
            "epoch": self.epoch,
            "rooms": {session: room.summary() for session, room in self.rooms.items()},
        }

    def gauges(self) -> list[Gauge]:
        """Return the current values for metrics."""
        viewers = [viewer for room in self.rooms.values() for viewer in room.viewers]
        uptime = time.monotonic() - self.started_at
        return [
            ("rooms", "Rooms with anybody in them.", len(self.rooms)),
            ("publishers", "Publications, live or not.", len(self._publishers)),
            ("viewers", "Viewers connected or connecting.", len(viewers)),
            (
                "viewers_losing",
                "Viewers who lose over 5 % of the video packets.",
                sum(viewer.loss > LOSS_OF_NOTE for viewer in viewers),
            ),
            ("handshaking", "Peers without keys yet.", len(self._handshaking)),
            ("addresses", "Addresses known to be a peer's.", len(self.udp.by_address)),
            ("reports_queued", "Reports that web has not taken yet.", len(self.reporter)),
            ("reports_dropped", "Reports given up.", self.reporter.dropped),
            ("revocations", "Revocations remembered.", len(self.revocations)),
            ("uptime_seconds", "Seconds since the start.", uptime),
        ]

    def _enter(self, peer: Publisher | Viewer) -> None:
        self.rooms[peer.session] = peer.room
        self.peers[peer.resource] = peer
        self.udp.by_ufrag[peer.ufrag] = peer
        self._handshaking.add(peer)
        self._peers_by_user[peer.user] += 1

    def _apply_mutes(self, *, session: str, user: str) -> None:
        room = self.rooms.get(session)
        if room is not None and user in room.publishers:
            room.stage.rewire()

    def _stage_of(self, grant: Grant) -> Stage:
        stage, at = self._stages.get((grant.session, grant.sub), (grant.stage, 0.0))
        return stage if grant.iat <= at else grant.stage

    def _require_room_for_one(self, grant: Grant, *, caller: str | None) -> None:
        limits, now = self.config.limits, time.monotonic()
        is_paced = self._user_posts.take(grant.sub, now=now) and (
            caller is None or self._address_posts.take(caller, now=now)
        )
        pending_of_user = sum(1 for peer in self._handshaking if peer.user == grant.sub)
        pending_of_caller = sum(1 for peer in self._handshaking if caller and peer.caller == caller)
        if not is_paced or pending_of_user >= limits.pending_per_user:
            raise TooMany(retry_after=2)
        is_crowded = pending_of_caller >= limits.pending_per_address or len(self._handshaking) >= limits.pending
        if is_crowded and grant.role != "publisher":
            raise TooMany(retry_after=2)
        # A crowd of viewers must not keep the host out. Publishers are few, named, and limited per user.
        is_full = len(self.peers) >= limits.peers and grant.role != "publisher"
        if self._peers_by_user[grant.sub] >= limits.peers_per_user or is_full:
            raise TooMany(retry_after=10)
