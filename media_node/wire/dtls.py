"""DTLS handshakes that export keys for SRTP (RFC 6347, RFC 5764; fingerprints RFC 8122)."""

from __future__ import annotations

import datetime
import hmac
import secrets
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from media_node.wire.srtp import PROFILES, SrtpPair, srtp_sessions

DATAGRAM_LIMIT_BYTES = 1200
HELLO_REPEATS = 10
_RECORD_HEADER_BYTES = 13
_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"
_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256"
_CERTIFICATE_DAYS = 365
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256,
    "sha-384": hashes.SHA384,
    "sha-512": hashes.SHA512,
}
FINGERPRINT_ALGORITHMS = frozenset(_HASHES)


class DtlsState(Enum):
    """State of a transport. It only moves forward."""

    HANDSHAKE = "handshake"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class DtlsIdentity:
    """The certificate of this process and an OpenSSL context that uses it."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key)
        self.fingerprint = fingerprint_of(certificate, algorithm="sha-256")
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        # Peers use self-signed certificates. Their fingerprint in the offer authenticates them; DtlsTransport checks it
        # after the handshake.
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        self.context.set_cipher_list(_CIPHERS)
        self.context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))


class DtlsTransport:
    """One in-memory association. `receive` takes datagrams; methods return the datagrams to send."""

    __slots__ = (
        "_connection",
        "_fingerprint",
        "_hello",
        "_repeats_left",
        "failure",
        "is_client",
        "profile_name",
        "srtp",
        "state",
    )

    def __init__(self, identity: DtlsIdentity, *, is_client: bool, algorithm: str, fingerprint: str) -> None:
        self._connection = SSL.Connection(identity.context, None)
        self._connection.set_ciphertext_mtu(DATAGRAM_LIMIT_BYTES)
        self._fingerprint = (algorithm, fingerprint)
        self._hello: list[bytes] = []
        self._repeats_left = HELLO_REPEATS
        self.is_client = is_client
        self.state = DtlsState.HANDSHAKE
        self.failure = ""
        self.profile_name = ""
        self.srtp: SrtpPair | None = None
        if is_client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def start(self) -> list[bytes]:
        """Return the client's first flight. A server returns nothing."""
        if not self.is_client or self.state is not DtlsState.HANDSHAKE or self._hello:
            return []
        self._handshake()
        self._hello = self._output()
        return self._hello

    def receive(self, datagram: bytes) -> list[bytes]:
        """Process a datagram. Garbage is ignored, as DTLS requires. A refused handshake sets FAILED."""
        if self.state in (DtlsState.CLOSED, DtlsState.FAILED):
            return []
        self._repeats_left = 0
        self._connection.bio_write(datagram)
        if self.state is DtlsState.HANDSHAKE:
            self._handshake()
        else:
            self._read()
        return self._output()

    def on_timer(self) -> list[bytes]:
        """Return the last flight again when its timer has expired (RFC 6347 section 4.2.4). Call it about every 50 ms.

        The client's first flight is repeated at each call for a while: encoders drop packets that arrive before they
        have finished ICE, and OpenSSL would wait a second.
        """
        if self.state is not DtlsState.HANDSHAKE:
            return []
        if self._hello and self._repeats_left > 0:
            self._repeats_left -= 1
            return self._hello
        try:
            remaining = self._connection.DTLSv1_get_timeout()
            if remaining is None or remaining > 0:
                return []
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self._fail("timeout")
        return self._output()

    def close(self) -> list[bytes]:
        """Close the association and return the close_notify alert, or nothing if it is not connected."""
        if self.state is not DtlsState.CONNECTED:
            self.state = DtlsState.CLOSED
            return []
        self.state = DtlsState.CLOSED
        try:
            self._connection.shutdown()
        except SSL.Error:
            return []
        return self._output()

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self._fail(type(error).__name__)
            return
        self._finish()

    def _finish(self) -> None:
        algorithm, announced = self._fingerprint
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            self._fail("no certificate")
            return
        presented = fingerprint_of(certificate, algorithm=algorithm)
        if not hmac.compare_digest(presented.encode(), announced.upper().encode()):
            self._fail("fingerprint")
            return
        chosen = self._connection.get_selected_srtp_profile()
        profile = next((profile for profile in PROFILES if profile.name == chosen), None)
        if profile is None:
            self._fail("no SRTP profile")
            return
        material = self._connection.export_keying_material(_EXPORTER_LABEL, profile.exported_bytes)
        self.srtp = srtp_sessions(material=material, profile=profile, is_client=self.is_client)
        self.profile_name = profile.name.decode()
        self.state = DtlsState.CONNECTED

    def _read(self) -> None:
        try:
            self._connection.recv(2048)
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self.state = DtlsState.CLOSED
        except SSL.Error as error:
            self._fail(type(error).__name__)

    def _fail(self, reason: str) -> None:
        self.state, self.failure = DtlsState.FAILED, reason

    def _output(self) -> list[bytes]:
        chunks = []
        while True:
            try:
                chunks.append(self._connection.bio_read(65536))
            except SSL.Error:
                break
        return datagrams(b"".join(chunks))


def datagrams(records: bytes) -> list[bytes]:
    """Split a run of DTLS records into datagrams of whole records, at most 1200 bytes unless a record is longer."""
    out: list[bytes] = []
    start = end = 0
    while end + _RECORD_HEADER_BYTES <= len(records):
        size = _RECORD_HEADER_BYTES + int.from_bytes(records[end + 11 : end + 13], "big")
        if end > start and end + size - start > DATAGRAM_LIMIT_BYTES:
            out.append(records[start:end])
            start = end
        end += size
    if end > start:
        out.append(records[start:end])
    return out


def fingerprint_of(certificate: x509.Certificate, *, algorithm: str) -> str:
    """Return the certificate's digest as in SDP: upper case, separated by colons."""
    digest = certificate.fingerprint(_HASHES[algorithm]()).hex().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(8))])
    now = datetime.datetime.now(tz=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_CERTIFICATE_DAYS))
        .sign(key, hashes.SHA256())
    )
