"""Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""

import itertools
import math
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from livestream.errors import ProviderRejected
from media_node.grants import SOURCES, STAGES, Grant, GrantInvalid, grant_sign, grant_verify
from providers import agora_006, agora_007
from providers.agora_007 import RtcService
from providers.agora_bytes import TokenMalformed
from providers.agora_tokens import TokenOrder, token_006, token_007
from providers.interface import MediaRole, PersonRef, RoomRef
from providers.livekit import LiveKitProvider
from providers.mux import BROADCAST_SECONDS, playback_token
from providers.registry import provider_named
from tests.properties.reach import Reach
from tests.providers.setups import PUBLIC_KEY, stand_in_of

NO_CLOCK = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
HEX = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
CHANNELS = st.text(string.ascii_letters + string.digits + "-_.:@ ", min_size=1, max_size=63)
MOMENTS = st.integers(1_600_000_000, 4_000_000_000)

orders = st.builds(
    TokenOrder,
    app_id=HEX,
    certificate=HEX,
    channel=CHANNELS,
    uid=st.integers(1, 2**32 - 1),
    role=st.sampled_from(MediaRole),
    issued_at=MOMENTS,
    lifetime=st.integers(60, 86_400),
)


@given(orders, st.booleans())
def test_what_is_asked_for_is_what_an_007_token_says(order, with_rtm):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    order = TokenOrder(**{name: getattr(order, name) for name in order.__slots__} | {"with_rtm": with_rtm})
    token = token_007(order)

    for now in (order.issued_at, order.issued_at + order.lifetime - 1):
        read = agora_007.token_verified(token=token, certificate=order.certificate, now=now)
        (rtc,) = [service for service in read.services if isinstance(service, RtcService)]
        assert (read.app_id, read.issued_at, read.lifetime) == (order.app_id, order.issued_at, order.lifetime)
        assert (rtc.channel, rtc.uid) == (order.channel, str(order.uid))
        assert set(rtc.privileges) == ({1, 2, 3, 4} if order.role == MediaRole.PUBLISHER else {1})
        assert set(rtc.privileges.values()) == {order.lifetime}
        assert len(read.services) == 1 + with_rtm
    for now in (order.issued_at - 1, order.issued_at + order.lifetime):
        with pytest.raises(TokenMalformed):
            agora_007.token_verified(token=token, certificate=order.certificate, now=now)


@given(orders)
def test_what_is_asked_for_is_what_an_006_token_says(order):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    checked = {"token": token_006(order), "channel": order.channel, "uid": str(order.uid)}

    read = agora_006.token_verified(**checked, certificate=order.certificate, now=order.issued_at)

    assert read.expires_at == order.issued_at + order.lifetime
    assert set(read.privileges) == ({1, 2, 3, 4} if order.role == MediaRole.PUBLISHER else {1})
    assert set(read.privileges.values()) == {read.expires_at}
    for wrong in ({"channel": order.channel + "x"}, {"uid": str(order.uid + 1)}):
        with pytest.raises(TokenMalformed):
            agora_006.token_verified(**checked | wrong, certificate=order.certificate, now=order.issued_at)
    with pytest.raises(TokenMalformed):
        agora_006.token_verified(**checked, certificate=order.certificate, now=read.expires_at)


@given(orders, HEX, st.sampled_from([token_006, token_007]))
def test_another_certificate_signed_none_of_them(order, other, make):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    if other == order.certificate:
        return
    token = make(order)
    with pytest.raises(TokenMalformed):
        if make is token_007:
            agora_007.token_verified(token=token, certificate=other, now=order.issued_at)
        else:
            agora_006.token_verified(
                token=token, certificate=other, channel=order.channel, uid=str(order.uid), now=order.issued_at
            )


@given(
    orders,
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(string.ascii_letters + string.digits + "+/"),
    st.sampled_from([token_006, token_007]),
)
def test_a_token_that_was_changed_anywhere_is_none(order, fraction, letter, make):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    token = make(order)
    place = int(fraction * len(token))  # a token's salt is random, and with it its packed length
    changed = token[:place] + letter + token[place + 1 :]
    try:
        if make is token_007:
            read = agora_007.token_verified(token=changed, certificate=order.certificate, now=order.issued_at)
            original = agora_007.token_read(token)[0]
        else:
            read = agora_006.token_verified(
                token=changed,
                certificate=order.certificate,
                channel=order.channel,
                uid=str(order.uid),
                now=order.issued_at,
            )
            original = agora_006.token_read(token)
    except TokenMalformed:
        return
    assert read == original  # the last letters of base64 may carry meaningless bits


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
grants = st.builds(
    Grant,
    sub=NAMES,
    jti=NAMES,
    session=NAMES,
    role=st.sampled_from(["publisher", "subscriber"]),
    name=NAMES,
    node=NAMES,
    iat=st.floats(1.6e9, 3e9),
    exp=st.integers(1, 86_000),
    stage=st.sampled_from(STAGES),
    sources=st.sampled_from([(), ("audio",), ("audio", "camera"), ("screen",), SOURCES]),
)


@given(grants, st.text(string.ascii_letters, min_size=32, max_size=64))
def test_a_grant_of_the_media_node_says_what_it_was_made_of(drawn, secret):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    issued_at, lifetime = drawn.iat, drawn.exp
    grant = replace(drawn, exp=issued_at + lifetime)
    token = grant_sign(grant=grant, secret=secret)

    assert grant_verify(token=token, secret=secret, now=issued_at) == grant
    with pytest.raises(GrantInvalid):
        grant_verify(token=token, secret=secret + "x", now=issued_at)
    with pytest.raises(GrantInvalid):
        grant_verify(token=token, secret=secret, now=issued_at + lifetime + 61)


people = st.builds(
    PersonRef, uid=st.uuids().map(str), name=NAMES, stage=st.sampled_from(["host", "cohost", "guest", ""])
)
rooms = st.builds(RoomRef, session_id=st.uuids(), channel_id=st.uuids().map(str))
MOMENTS_OF_TOKENS = st.datetimes(datetime(2024, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def test_a_livekit_token_says_what_was_asked_for(settings):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    settings.LIVEKIT_URL, settings.LIVEKIT_API_KEY = "wss://livekit.example", "APIkey"

    @given(rooms, people, st.sampled_from(MediaRole), MOMENTS_OF_TOKENS, st.text(string.ascii_letters, min_size=32))
    def holds(room, person, role, now, secret):
        settings.LIVEKIT_API_SECRET = secret
        made = LiveKitProvider().join(room=room, person=person, role=role, is_admin=False, now=now)

        claims = jwt.decode(made.token, secret, algorithms=["HS256"], options=NO_CLOCK)
        publishes = role == MediaRole.PUBLISHER
        assert (claims["iss"], claims["sub"], claims["name"]) == ("APIkey", person.uid, person.name)
        assert (claims["video"]["room"], claims["video"]["roomJoin"]) == (room.channel_id, True)
        assert (claims["video"]["canPublish"], claims["video"]["canSubscribe"]) == (publishes, True)
        assert claims["attributes"] == {"role": role.value, "stage": person.stage}
        assert claims["exp"] - claims["nbf"] == settings.MEDIA_TOKEN_SECONDS
        assert abs(made.expires_at.timestamp() - claims["exp"]) < 1
        assert (made.can_publish, made.uid, made.channel_id) == (publishes, person.uid, room.channel_id)
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(made.token, secret + "x", algorithms=["HS256"], options=NO_CLOCK)

    holds()


LIFETIMES = st.integers(60, 690)  # what the vendor's stand-in accepts
SIGNING_COST = 5  # times fewer examples


def test_a_daily_token_says_what_was_asked_for(settings):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    reach = Reach()
    uids = st.integers(1, 2**32 - 1).map(str) | st.text(string.ascii_letters + "-", max_size=36)
    uids |= st.text(string.ascii_letters, min_size=37, max_size=50)

    @given(rooms, people, uids, st.booleans(), LIFETIMES)
    def holds(room, person, uid, is_admin, lifetime):
        settings.MEDIA_TOKEN_SECONDS = lifetime
        room = replace(room, external=daily.prepare(room=room))
        with reach.example():
            for role in MediaRole:
                now, publishes = timezone.now(), role == MediaRole.PUBLISHER
                asked = {"person": replace(person, uid=uid), "role": role, "is_admin": is_admin, "now": now}
                if not 1 <= len(uid) <= 36:
                    reach.note("refused")
                    with pytest.raises(ProviderRejected):
                        daily.join(room=room, **asked)
                    continue
                reach.note("made")
                made = daily.join(room=room, **asked)

                said, until = vendor.tokens[-1], now + timedelta(seconds=lifetime)
                assert (said["room_name"], said["user_id"], said["user_name"]) == (room.channel_id, uid, person.name)
                assert (said["is_owner"], said["enable_screenshare"]) == (False, publishes)
                assert bool(said["permissions"]["canSend"]) == publishes
                assert not said["permissions"]["canAdmin"]
                assert said["nbf"] <= now.timestamp() < said["exp"] == int(until.timestamp())
                assert made.expires_at == until
                assert jwt.decode(made.token, "k" * 32, algorithms=["HS256"])["r"] == room.channel_id
                assert (made.can_publish, made.can_subscribe, made.can_admin) == (publishes, True, is_admin)
                assert (made.uid, made.channel_id, made.url) == (uid, room.channel_id, room.external["url"])

    with stand_in_of("daily", settings) as vendor:
        daily = provider_named("daily")
        holds()
        assert vendor.mistakes == []

    reach.require(refused=10, made=40)


def test_a_mux_descriptor_says_what_was_asked_for(settings):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    given_out = set()

    @given(rooms, people, st.booleans(), LIFETIMES, MOMENTS_OF_TOKENS)
    def holds(room, person, is_admin, lifetime, now):
        settings.MEDIA_TOKEN_SECONDS = lifetime
        for signs, role in itertools.product((True, False), MediaRole):
            settings.MUX_SIGNING_KEY_ID = "key-1" if signs else ""
            room = replace(room, external=mux.prepare(room=room))
            made = mux.join(room=room, person=person, role=role, is_admin=is_admin, now=now)

            stream = vendor.streams[room.external["live_stream_id"]]
            publishes = role == MediaRole.PUBLISHER
            assert stream["passthrough"] == room.channel_id
            assert room.external["policy"] == ("signed" if signs else "public")
            assert (made.can_publish, made.can_subscribe, made.can_admin) == (publishes, not publishes, is_admin)
            assert (made.uid, made.channel_id) == (person.uid, room.channel_id)
            assert made.expires_at == now + timedelta(seconds=BROADCAST_SECONDS if publishes else lifetime)
            if publishes:
                assert (made.protocol, made.token, made.shared_token) == ("rtmps", stream["stream_key"], True)
                continue
            assert (made.protocol, made.shared_token) == ("hls", not signs)
            assert stream["stream_key"] not in (made.token, made.url)
            if signs:  # the vendor's address stays on the server
                assert made.url.endswith(f"/hls/{room.session_id}/main.m3u8")
                assert made.token not in given_out
                given_out.add(made.token)
            else:
                assert (made.token, room.external["playback_id"] in made.url) == ("", True)

    with stand_in_of("mux", settings) as vendor:
        mux = provider_named("mux")
        holds()
        assert vendor.mistakes == []


def test_a_playback_token_of_mux_opens_one_playlist_for_its_time(settings):
    """Feature: streaming-realtime-fixes, Property 01: token generation and validation consistency."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()

    @profile(max_examples=math.ceil(profile().max_examples / SIGNING_COST))
    @given(NAMES, MOMENTS_OF_TOKENS, LIFETIMES)
    def holds(playback_id, now, lifetime):
        expires_at = now + timedelta(seconds=lifetime)
        token = playback_token(playback_id, now=now, expires_at=expires_at)

        read = {"algorithms": ["RS256"], "audience": "v", "options": NO_CLOCK}
        claims = jwt.decode(token, PUBLIC_KEY, **read)
        assert (claims["sub"], claims["exp"]) == (playback_id, int(expires_at.timestamp()))
        assert jwt.get_unverified_header(token)["kid"] == settings.MUX_SIGNING_KEY_ID
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token, other, **read)

    with stand_in_of("mux", settings):
        holds()
