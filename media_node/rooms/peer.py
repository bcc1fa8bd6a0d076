"""A connected peer: its ICE-lite agent, DTLS association and SRTP sessions."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Literal

from pylibsrtp import Error as SrtpError

from media_node.forwarding.slot import Send
from media_node.grants import Grant
from media_node.wire.answer import LocalTransport
from media_node.wire.dtls import DtlsState, DtlsTransport
from media_node.wire.negotiation import RemoteTransport
from media_node.wire.rtcp import goodbye
from media_node.wire.srtp import SrtpPair
from media_node.wire.stun import (
    ICE_CONTROLLED,
    USE_CANDIDATE,
    Address,
    StunMessage,
    binding_error,
    binding_success,
)

if TYPE_CHECKING:
    from media_node.rooms.engine import Engine

CloseReason = Literal["closed", "silent", "replaced", "idle", "failed", "codec"]

ADDRESS_LIMIT = 8
SOURCE_LIMIT = 16


class Peer:
    """A WHIP or WHEP resource. Subclasses handle the media."""

    role: Literal["publisher", "subscriber"]

    def __init__(
        self, *, engine: Engine, grant: Grant, token: str, remote: RemoteTransport, caller: str | None
    ) -> None:
        now = time.monotonic()
        self.engine = engine
        self.session = grant.session
        self.user = grant.sub
        self.caller = caller
        self.resource = secrets.token_urlsafe(18)
        self.ufrag = secrets.token_hex(6)
        self.pwd = secrets.token_hex(16)
        self.remote_ufrag = remote.ice_ufrag
        self.dtls = DtlsTransport(
            engine.identity,
            is_client=remote.is_dtls_server,
            algorithm=remote.algorithm,
            fingerprint=remote.fingerprint,
        )
        self.srtp: SrtpPair | None = None
        self.ssrc = secrets.randbelow(2**32 - 1) + 1
        self.address: Address | None = None
        self.addresses: list[Address] = []
        self.send: Send | None = None
        self.created_at = now
        self.heard_at = now
        self.is_closed = False
        self._key = self.pwd.encode()
        self._token_digest = _digest(token)
        self.source_limit = SOURCE_LIMIT
        self._sources: set[int] = set()

    @property
    def etag(self) -> str:
        """Entity tag of the ICE session (RFC 9725 section 4.3.1)."""
        return f'"{self.ufrag}"'

    def made_with(self, token: str) -> bool:
        """Return whether this token created the resource. It may then delete it, even after the token's expiry."""
        return hmac.compare_digest(self._token_digest, _digest(token))

    def local_transport(self) -> LocalTransport:
        """Return the local transport parameters for the answer."""
        return LocalTransport(
            ice_ufrag=self.ufrag,
            ice_pwd=self.pwd,
            fingerprint=self.engine.identity.fingerprint,
            setup="active" if self.dtls.is_client else "passive",
            candidates=self.engine.candidates(),
        )

    # -- ICE (RFC 8445 section 7.3, lite agent)

    def check(self, message: StunMessage, *, address: Address, send: Send, now: float) -> None:
        """Answer a connectivity check. Unauthenticated checks are ignored."""
        if self.is_closed or not message.proves(self._key):
            return
        if ICE_CONTROLLED in message.attributes:
            # A lite agent is always controlled (RFC 8445 section 6.1.1).
            reply = binding_error(request=message, code=487, reason="Role Conflict", key=self._key)
        elif unknown := message.unknown_attributes():
            reply = binding_error(request=message, code=420, reason="Unknown Attribute", key=self._key, unknown=unknown)
        else:
            self.heard_at = now
            reply = binding_success(request=message, address=address, key=self._key)
            self._learn(address, send=send, is_nominated=USE_CANDIDATE in message.attributes)
        self.engine.transmit(reply, address=address, send=send)
        self._emit(self.dtls.start() if self.dtls.is_client else [])

    def _learn(self, address: Address, *, send: Send, is_nominated: bool) -> None:
        self.engine.bind_address(address, self)
        if address in self.addresses:
            self.addresses.remove(address)
        self.addresses.append(address)
        if len(self.addresses) > ADDRESS_LIMIT:
            oldest = next(known for known in self.addresses if known != self.address)
            self.addresses.remove(oldest)
            self.engine.unbind_address(oldest, self)
        if address != self.address and (is_nominated or self.address is None):
            self.address, self.send = address, send
            self.on_moved()

    # -- DTLS

    def receive_dtls(self, datagram: bytes, *, now: float) -> None:
        """Process a DTLS datagram from one of the peer's addresses."""
        if self.is_closed:
            return
        before = self.dtls.state
        self._emit(self.dtls.receive(datagram))
        state = self.dtls.state
        if state is before:
            return
        if state is DtlsState.CONNECTED:
            self.srtp = self.dtls.srtp
            self.heard_at = now
            self.engine.handshake_done(self)
            self.on_connected(now)
        elif state is DtlsState.CLOSED:
            self.close("closed")
        else:
            self.engine.stats.handshakes_failed += 1
            self.engine.quiet.warning("handshake refused", now=now, detail=self.dtls.failure)
            self.close("failed")

    def on_handshake_timer(self) -> None:
        """Retransmit the last flight when due."""
        if self.address is not None:
            self._emit(self.dtls.on_timer())

    # -- media

    def receive_rtp(self, datagram: bytes, *, now: float) -> None:
        """Process an encrypted RTP packet from one of the peer's addresses."""

    def receive_rtcp(self, datagram: bytes, *, now: float) -> None:
        """Process an encrypted RTCP packet from one of the peer's addresses."""

    def admits_source(self, ssrc: int) -> bool:
        """Return whether to decrypt packets of this SSRC. Each SSRC costs memory in libsrtp, so a peer may use sixteen,
        plus one per watched section."""
        return ssrc in self._sources or len(self._sources) < self.source_limit

    def note_source(self, ssrc: int) -> None:
        """Note an SSRC whose packet was authenticated."""
        self._sources.add(ssrc)

    def send_rtcp(self, data: bytes) -> None:
        """Encrypt and send. The data is lost if there are no keys yet or the socket is full."""
        if self.srtp is None or self.send is None or self.address is None:
            return
        try:
            protected = self.srtp.outbound.protect_rtcp(data)
        except SrtpError:
            return
        self.engine.transmit(protected, address=self.address, send=self.send)

    # -- hooks for subclasses

    def on_connected(self, now: float) -> None:
        """React to new keys."""

    def on_moved(self) -> None:
        """React to a change of the remote address."""

    def on_closed(self, reason: CloseReason) -> None:
        """Leave the room after closing."""

    def outgoing_ssrcs(self) -> list[int]:
        """Return the SSRCs for the BYE."""
        return [self.ssrc]

    def close(self, reason: CloseReason) -> None:
        """Send BYE and close_notify and free everything. Closing twice changes nothing."""
        if self.is_closed:
            return
        self.is_closed = True
        self.send_rtcp(goodbye(ssrcs=self.outgoing_ssrcs()))
        self._emit(self.dtls.close())
        self.engine.forget(self)
        self.on_closed(reason)
        self.srtp = None

    def _emit(self, outgoing: list[bytes]) -> None:
        if self.send is None or self.address is None:
            return
        for datagram in outgoing:
            self.engine.transmit(datagram, address=self.address, send=self.send)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
