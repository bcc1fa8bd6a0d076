"""DTLS handshakes over memory."""

import os

from media_node.wire.dtls import DATAGRAM_LIMIT_BYTES, DtlsIdentity, DtlsState, DtlsTransport, datagrams

IDENTITY = DtlsIdentity()


def transport(*, is_client, fingerprint=None):
    return DtlsTransport(
        IDENTITY, is_client=is_client, algorithm="sha-256", fingerprint=fingerprint or IDENTITY.fingerprint
    )


def shake(client, server, *, outgoing):
    sides = [server, client]
    sizes = []
    while outgoing:
        sizes += [len(datagram) for datagram in outgoing]
        side = sides[0]
        sides.reverse()
        outgoing = [answer for datagram in outgoing for answer in side.receive(datagram)]
    return sizes


def test_both_sides_end_with_keys_that_fit():
    client, server = transport(is_client=True), transport(is_client=False)

    sizes = shake(client, server, outgoing=client.start())

    assert (client.state, server.state) == (DtlsState.CONNECTED, DtlsState.CONNECTED)
    assert max(sizes) <= DATAGRAM_LIMIT_BYTES
    packet = b"\x80\x60" + b"\0" * 40
    assert server.srtp.inbound.unprotect(client.srtp.outbound.protect(packet)) == packet
    assert client.srtp.inbound.unprotect(server.srtp.outbound.protect(packet)) == packet


def test_another_certificate_than_the_announced_one_is_refused():
    client = transport(is_client=True)
    server = transport(is_client=False, fingerprint=":".join(["AB"] * 32))

    shake(client, server, outgoing=client.start())

    assert (server.state, server.failure, server.srtp) == (DtlsState.FAILED, "fingerprint", None)


def test_the_first_flight_is_repeated_quickly_until_somebody_answers():
    client, server = transport(is_client=True), transport(is_client=False)
    hello = client.start()

    assert client.on_timer() == hello
    shake(client, server, outgoing=hello)

    assert client.on_timer() == []


def test_garbage_does_not_disturb_a_finished_association():
    client, server = transport(is_client=True), transport(is_client=False)
    shake(client, server, outgoing=client.start())

    for size in range(1, 200):
        server.receive(bytes([20 + size % 44]) + os.urandom(size))

    assert server.state is DtlsState.CONNECTED


def test_a_goodbye_is_understood():
    client, server = transport(is_client=True), transport(is_client=False)
    shake(client, server, outgoing=client.start())

    for datagram in client.close():
        server.receive(datagram)

    assert (client.state, server.state) == (DtlsState.CLOSED, DtlsState.CLOSED)
    assert client.close() == []


def test_records_are_never_cut():
    records = [
        bytes([22, 254, 253]) + b"\0" * 8 + size.to_bytes(2, "big") + b"x" * size for size in (500, 600, 700, 1300, 10)
    ]

    assert datagrams(b"".join(records)) == [records[0] + records[1], records[2], records[3], records[4]]
