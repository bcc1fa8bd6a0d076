"""STUN, checked against the test vectors of RFC 5769."""

import socket
import struct

import pytest

from media_node.wire.stun import (
    BINDING_REQUEST,
    BINDING_SUCCESS,
    ICE_CONTROLLED,
    MAGIC_COOKIE,
    PRIORITY,
    USERNAME,
    XOR_MAPPED_ADDRESS,
    StunInvalid,
    binding_error,
    stun_build,
    stun_parse,
    xor_address,
)

KEY = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74"
    "00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a68367659202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
    "00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c"
)


def test_the_sample_request_is_read_and_proves_its_password():
    message = stun_parse(REQUEST)

    assert (message.type, message.transaction) == (BINDING_REQUEST, TRANSACTION)
    assert message.attributes[USERNAME] == b"evtj:h6vY"
    assert message.attributes[PRIORITY] == struct.pack("!I", 0x6E0001FF)
    assert ICE_CONTROLLED in message.attributes
    assert message.proves(KEY)
    assert not message.proves(b"another password")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (RESPONSE_V4, ("192.0.2.1", 32853)),
        (RESPONSE_V6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_sample_responses_give_the_mapped_address(response, expected):
    message = stun_parse(response)

    value = message.attributes[XOR_MAPPED_ADDRESS]

    assert message.type == BINDING_SUCCESS
    assert message.proves(KEY)
    assert xor_address_parse(value=value, transaction=TRANSACTION) == expected
    assert xor_address(address=expected, transaction=TRANSACTION)[1:] == value[1:]


@pytest.mark.parametrize("position", range(len(REQUEST)))
def test_one_changed_byte_never_changes_what_is_believed(position):
    changed = bytearray(REQUEST)
    changed[position] ^= 0x01

    try:
        message = stun_parse(bytes(changed))
    except StunInvalid:
        return

    believed = (message.type, message.transaction, message.attributes)
    genuine = stun_parse(REQUEST)
    assert not message.proves(KEY) or believed == (genuine.type, TRANSACTION, genuine.attributes)


def test_an_attribute_behind_the_integrity_is_not_believed():
    genuine = stun_build(type=1, transaction=TRANSACTION, attributes=[(USERNAME, b"a:b")], key=KEY)
    body = genuine[20:-8] + struct.pack("!HH", 0x25, 0)
    forged = struct.pack("!HH", 1, len(body)) + genuine[4:20] + body

    message = stun_parse(forged)

    assert message.attributes == {USERNAME: b"a:b"}


def test_an_error_answer_names_the_unknown_attributes():
    request = stun_parse(stun_build(type=1, transaction=TRANSACTION, attributes=[(0x7777, b"x")], key=KEY))

    answer = stun_parse(
        binding_error(
            request=request, code=420, reason="Unknown Attribute", key=KEY, unknown=request.unknown_attributes()
        )
    )

    assert answer.attributes == {
        0x0009: b"\x00\x00\x04\x14Unknown Attribute",
        0x000A: b"\x77\x77",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        REQUEST[:19],
        REQUEST[:-1],
        REQUEST + b"\0\0\0\0",
        bytes(range(200, 240)),
        b"\x00\x01\x00\x04" + REQUEST[4:20] + b"\x00\x06\xff\xff",
    ],
)
def test_what_is_not_a_message_is_refused(data):
    with pytest.raises(StunInvalid):
        stun_parse(data)


def xor_address_parse(*, value, transaction):
    """Return the host and port in XOR-MAPPED-ADDRESS."""
    port = struct.unpack_from("!H", value, 2)[0] ^ (MAGIC_COOKIE >> 16)
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed), port
