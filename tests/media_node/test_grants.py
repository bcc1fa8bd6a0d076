"""Grants: permissions per session, and their lifetime."""

import base64
import dataclasses
import json
import time

import jwt
import pytest

from media_node.grants import (
    Grant,
    GrantInvalid,
    control_sign,
    control_verify,
    grant_sign,
    grant_verify,
)
from media_node.rooms.revocations import Revocations

SECRET = "s" * 40
NOW = 1_800_000_000.0
GRANT = Grant(sub="7", jti="j", session="room", role="publisher", name="Ada", node="local", iat=NOW, exp=NOW + 600)


def signed(*, secret=SECRET, algorithm="HS256", **changes):
    claims = {"iss": "livestream", "aud": "media", **dataclasses.asdict(GRANT), **changes}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret, algorithm=algorithm)


def test_a_grant_reads_back_as_it_was_signed():
    assert grant_verify(token=grant_sign(grant=GRANT, secret=SECRET), secret=SECRET, now=NOW) == GRANT


@pytest.mark.parametrize("stage", ["host", "cohost", "guest", ""])
@pytest.mark.parametrize("sources", [(), ("audio",), ("audio", "camera"), ("audio", "camera", "screen")])
def test_a_grant_says_who_the_holder_is_on_stage_and_what_he_may_send(stage, sources):
    grant = dataclasses.replace(GRANT, stage=stage, sources=sources)

    assert grant_verify(token=grant_sign(grant=grant, secret=SECRET), secret=SECRET, now=NOW) == grant


def test_a_grant_that_does_not_say_is_for_nobody_on_stage_and_for_every_source():
    grant = grant_verify(token=signed(stage=None, sources=None), secret=SECRET, now=NOW)

    assert (grant.stage, grant.sources) == ("", ("audio", "camera", "screen"))


@pytest.mark.parametrize(("after_expiry", "is_valid"), [(-1, True), (59, True), (60, True), (61, False)])
def test_a_grant_is_good_for_a_minute_past_its_expiry_and_no_longer(after_expiry, is_valid):
    token = grant_sign(grant=GRANT, secret=SECRET)

    if is_valid:
        assert grant_verify(token=token, secret=SECRET, now=GRANT.exp + after_expiry) == GRANT
    else:
        with pytest.raises(GrantInvalid):
            grant_verify(token=token, secret=SECRET, now=GRANT.exp + after_expiry)


def unsigned():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": "livestream", "aud": "media", **dataclasses.asdict(GRANT)}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "é" * 40,
        "a" * 1_000_000,
        unsigned(),
        unsigned() + "x",
        signed(secret="t" * 40),
        signed(algorithm="HS512"),
        signed(aud="media-control"),
        signed(aud=None),
        signed(iss="somebody"),
        signed(role="admin"),
        signed(role=None),
        signed(sub=None),
        signed(sub=""),
        signed(session=None),
        signed(session=5),
        signed(exp=None),
        signed(iat=None),
        signed(exp="soon"),
        signed(jti="j" * 300),
        signed(exp=NOW + 90_000),
        signed(iat=NOW + 120),
        signed(exp=float("inf")),
        signed(stage="owner"),
        signed(stage=["host"]),
        signed(sources="audio"),
        signed(sources=["audio", "smell"]),
        signed(sources=[["audio"]]),
        signed(sources={"audio": 1}),
        control_sign(secret=SECRET, node="local", now=NOW),
    ],
)
def test_every_other_token_is_refused_with_one_code(token):
    with pytest.raises(GrantInvalid) as refused:
        grant_verify(token=token, secret=SECRET, now=NOW)

    assert refused.value.code == "media.bad_token"


def test_a_control_token_is_for_one_node_and_half_a_minute():
    token = control_sign(secret=SECRET, node="local", now=NOW)

    control_verify(token=token, secret=SECRET, node="local", now=NOW + 30)
    for secret, node, now in ((SECRET, "local", NOW + 31), (SECRET, "other", NOW), ("t" * 40, "local", NOW)):
        with pytest.raises(GrantInvalid):
            control_verify(token=token, secret=secret, node=node, now=now)


@pytest.mark.parametrize(("lifetime", "is_taken"), [(30, True), (30.5, False), (86_400, False)])
def test_a_control_token_that_lives_longer_than_half_a_minute_is_refused(lifetime, is_taken):
    claims = {"iss": "livestream", "aud": "media-control", "node": "local", "iat": NOW, "exp": NOW + lifetime}
    token = jwt.encode(claims, SECRET, algorithm="HS256")

    if is_taken:
        control_verify(token=token, secret=SECRET, node="local", now=NOW + 1)
    else:
        with pytest.raises(GrantInvalid):
            control_verify(token=token, secret=SECRET, node="local", now=NOW + 1)


@pytest.mark.parametrize("lifetime", [600, 30])
def test_a_grant_does_not_control(lifetime):
    with pytest.raises(GrantInvalid):
        control_verify(token=signed(exp=NOW + lifetime), secret=SECRET, node="local", now=NOW)


def test_the_clock_is_read_when_no_time_is_given():
    now = time.time()
    grant = dataclasses.replace(GRANT, iat=now, exp=now + 60)

    assert grant_verify(token=grant_sign(grant=grant, secret=SECRET), secret=SECRET) == grant


def test_a_revocation_concerns_what_was_issued_before_it():
    revocations = Revocations()
    later = dataclasses.replace(GRANT, iat=NOW + 0.01)

    revocations.revoke_user(session="room", user="7", now=NOW)

    assert revocations.covers(GRANT)
    assert not revocations.covers(later)
    assert not revocations.covers(dataclasses.replace(GRANT, sub="8"))
    assert not revocations.covers(dataclasses.replace(GRANT, session="other"))


def test_a_session_revoked_is_revoked_for_everybody():
    revocations = Revocations()

    revocations.revoke_session(session="room", now=NOW)

    assert revocations.covers(GRANT)
    assert revocations.covers(dataclasses.replace(GRANT, sub="8"))


def test_a_revocation_is_forgotten_when_no_grant_can_be_alive():
    revocations = Revocations()
    revocations.revoke_session(session="room", now=NOW)

    revocations.forget_expired(now=NOW + 24 * 3600)
    assert len(revocations) == 1
    revocations.forget_expired(now=NOW + 25 * 3600)
    assert len(revocations) == 0
