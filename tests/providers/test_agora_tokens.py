"""Agora's token builder: refusals and results."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import agora_006
from providers.agora_007 import RtcService, RtmService, token_read, token_verified
from providers.agora_bytes import TokenMalformed
from providers.agora_tokens import OrderRefused, TokenOrder, token_006, token_007
from providers.interface import MediaRole

GOOD = {
    "app_id": "0123456789abcdef0123456789ABCDEF",
    "certificate": "fedcba9876543210fedcba9876543210",
    "channel": "live-0011",
    "uid": 7,
    "role": MediaRole.PUBLISHER,
    "issued_at": 1_800_000_000,
    "lifetime": 600,
}

REFUSED = {
    "app_id": ["", "0" * 31, "0" * 33, "g" * 32, None, 0, "0" * 31 + "\n"],
    "certificate": ["", "0" * 31, "x" * 32, None, b"0" * 32],
    "channel": ["", "*", "a" * 64, "a/b", "a\\b", 'a"b', "a'b", "a`b", "käse", "a\nb", None, 7],
    "uid": [0, -1, 2**32, 1.0, 1.5, "7", "", None, True, False, float("nan")],
    "role": ["publisher", "host", 1, 2, 0, 101, None, True],
    "issued_at": [0, -1, 2**32, 1.5, "1", None, True],
    "lifetime": [0, 59, 86_401, -600, 600.0, "600", None, True],
    "with_rtm": [None, 1, "yes"],
}


@pytest.mark.parametrize(("part", "value"), [(part, value) for part, values in REFUSED.items() for value in values])
def test_nothing_vague_comes_in(part, value):
    with pytest.raises(OrderRefused, match=part):
        TokenOrder(**{**GOOD, part: value})


@pytest.mark.parametrize("lifetime", [60, 86_400])
@pytest.mark.parametrize("uid", [1, 2**32 - 1])
def test_the_edges_are_inside(uid, lifetime):
    order = TokenOrder(**{**GOOD, "uid": uid, "lifetime": lifetime, "channel": "a" * 63})

    contents = token_verified(token=token_007(order), certificate=order.certificate, now=order.issued_at)

    (service,) = contents.services
    assert (service.uid, contents.lifetime) == (str(uid), lifetime)


@pytest.mark.parametrize(("role", "granted"), [(MediaRole.PUBLISHER, {1, 2, 3, 4}), (MediaRole.SUBSCRIBER, {1})])
def test_the_role_decides_the_privileges_in_both_formats(role, granted):
    order = TokenOrder(**{**GOOD, "role": role})

    (service,) = token_read(token_007(order))[0].services
    older = agora_006.token_verified(
        token=token_006(order), certificate=order.certificate, channel=order.channel, uid="7", now=order.issued_at
    )

    assert service.privileges == dict.fromkeys(granted, 600)
    assert older.privileges == dict.fromkeys(granted, 1_800_000_600)
    assert older.expires_at == 1_800_000_600


def test_signalling_comes_along_on_request_and_only_for_the_same_uid():
    order = TokenOrder(**GOOD, with_rtm=True)

    rtc, rtm = token_read(token_007(order))[0].services

    assert isinstance(rtc, RtcService)
    assert rtm == RtmService("7", {1: 600})
    with pytest.raises(OrderRefused, match="007"):
        token_006(order)


@pytest.mark.parametrize("make", [token_006, token_007])
def test_the_same_order_twice_gives_two_tokens(make):
    assert len({make(TokenOrder(**GOOD)) for _ in range(200)}) == 200


@pytest.mark.parametrize("make", [token_006, token_007])
def test_the_certificate_is_in_no_token(make):
    token = make(TokenOrder(**GOOD))
    inside = base64.b64decode(token[3:] if make is token_007 else token[35:])
    inside = zlib.decompress(inside) if make is token_007 else inside

    assert GOOD["certificate"].encode() not in inside + token.encode()


@given(st.binary(max_size=600))
def test_no_bytes_make_the_reader_fall_over(data):
    for prefix, read in (("007", token_read), ("006" + "0" * 32, agora_006.token_read)):
        for body in (data, zlib.compress(data)):
            try:
                read(prefix + base64.b64encode(body).decode())
            except TokenMalformed:
                continue


@given(st.text(max_size=100))
def test_no_text_makes_the_reader_fall_over(text):
    for token in (text, "007" + text, "006" + text):
        for read in (token_read, agora_006.token_read):
            try:
                read(token)
            except TokenMalformed:
                continue


def test_a_bomb_is_not_inflated():
    bomb = zlib.compress(b"\0" * 5_000_000)

    with pytest.raises(TokenMalformed, match="longer"):
        token_read("007" + base64.b64encode(bomb).decode())
