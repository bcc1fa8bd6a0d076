"""Agora's tokens against the vectors of Agora's own sources, and parsed again."""

import pytest

from providers import agora_006
from providers.agora_007 import AccessToken2, RtcService, RtmService, token_inflated, token_read, token_verified
from providers.agora_bytes import TokenMalformed

APP_ID = "970CA35de60c44645bbae8a215061b33"
CERTIFICATE = "5CFd2fd1755d40ecb72977518be15d3b"
CHANNEL = "7d72365eb983485397e3e3f9d460bdda"
UID = "2882341273"
ISSUED_AT = 1_111_111
ALL = (1, 2, 3, 4)


def until(moment, privileges):
    return dict.fromkeys(privileges, moment)


def rtc(uid=UID, channel=CHANNEL, privileges=ALL):
    return RtcService(channel, uid, until(600, privileges))


RTM = RtmService("test_user", {1: 600})

V006 = {
    "a uid that may join": (
        (CHANNEL, UID, (1,)),
        "006970CA35de60c44645bbae8a215061b33IACV0fZUBw+72cVoL9eyGGh3Q6Poi8bgjwVLnyKSJyOXR7dIfRBXoFHlEAABAAAAR/QQAAEAAQCvKDdW",
    ),
    "any uid": (
        (CHANNEL, "", (1,)),
        "006970CA35de60c44645bbae8a215061b33IACw1o7htY6ISdNRtku3p9tjTPi0jCKf9t49UHJhzCmL6bdIfRAAAAAAEAABAAAAR/QQAAEAAQCvKDdW",
    ),
    "a uid that may publish": (
        (CHANNEL, UID, ALL),
        "006970CA35de60c44645bbae8a215061b33IACMv3I+fsRSejxy6luEwzA/1t/zbEHWfJCJ5m8ssFP/fLdIfRBXoFHlIgABAAAAR/QQAAQAAQCvKDdW"
        "AgCvKDdWAwCvKDdWBACvKDdW",
    ),
    "signalling": (
        ("test_user", "", (1000,)),
        "006970CA35de60c44645bbae8a215061b33IAAsR0qgiCxv0vrpRcpkz5BrbfEWCBZ6kvR6t7qG/wJIQob86ogAAAAAEAABAAAAR/QQAAEA6AOvKDdW",
    ),
}

V007 = {
    "a uid that may join": (
        (rtc(privileges=(1,)),),
        "16a0b84c5a5e82cbf74fb813d09f59c54bdac9c06120580539ac97578e958b1a",
        "007eJxTYBBbsMMnKq7p9Hf/HcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcwMk4yN3b8IMEQwMTAwMoAwBIL4"
        "CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiVwMRhYWRsYmhkbmxgDCaiTj",
    ),
    "any uid": (
        (rtc(uid="", privileges=(1,)),),
        "dcc4af9e4a04268e083f1fecd1daf9be33c860de592d6a2ca2b0306b9603633c",
        "007eJxTYLhzZP08Lxa1Pg57+TcXb/3cZ3wi4V6kbpbOog0G2dOYk20UGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcwMk4yN3b8IMEQwMTAwMoAwBIL4"
        "CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiQwMADacImo=",
    ),
    "a uid that may publish": (
        (rtc(),),
        "c731521be14613488eac3ef393d403a87ea96102529dc5d633e12faabcce540f",
        "007eJxTYDhuGCT90E3Yo2+N3efJV5hX1K1MZAqae/Sa8UP9VXvOhfArMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpgZJhkbu38RYIhgYmBgZABhRgYW"
        "IAbxmcAkM5hkAZMKDOYp5kbGZqapSZYWxiYWpsaW5qnGqcZplikmZgZJKSmJXAxGFhZGxiaGRubGAKizJcs=",
    ),
    "an account that may publish": (
        (rtc(uid="user_42", channel="show-7"),),
        "2ec13853b742150798f375eb46167dc23d95b12e4a5f2320edd4c44269e3d355",
        "007eJxTYNA7aBG83UmUfcbn0tduYrWHbKdu1POKV1Z4e+WIU+bjy6EKDJbmBs6OxqYpqWYGySYmZiamSUmJqRaJRoamBmaGScbG7l8EGCKYGBgYGUCYkYEF"
        "iEF8JjDJDCZZwCQbQ3FGfrmuOTtDaXFqUbyJEQCPCR9B",
    ),
    "signalling": (
        (RTM,),
        "0d9a1df8a4e60649a82d4a68fb1f49581fb4d227b8f0b65773b79f1c89e7eb7c",
        "007eJxTYOCdJftjyTM2zxW6Xhm/5T0j5LdcUt/xYVt48fb5Mp3PX9coMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpgZJhkbu38RYIhgYmBgZABhJiBm"
        "BPM5GUpSi0viS4tTiwBZVh6A",
    ),
    "media and signalling in one": (
        (RTM, rtc()),
        "0812393ccca5befc2bb6fbd30269cac4506368877e946d988b5562a77cd42441",
        "007eJxTYOAQsrQ5s3TfH+1tvy8zZZ46EpCc0V43JXdGd2jS8porKo4KDJbmBs6OxqYpqWYGySYmZiamSUmJqRaJRoamBmaGScbG7l8EGCKYGBgYGRgYmIAk"
        "CxCD+ExgkhlMsoBJBQbzFHMjYzPT1CRLC2MTC1NjS/NU41TjNMsUEzODpJSURC4GIwsLI2MTQyNzY5BZEJM4GUpSi0viS4tTiwAipyp4",
    ),
}


def contents_007(services):
    return AccessToken2(APP_ID, ISSUED_AT, 600, 1, services)


def in_order(services):
    return tuple(sorted(services, key=lambda service: isinstance(service, RtmService)))


@pytest.mark.parametrize("case", V006)
def test_version_006_is_right_to_the_byte(case):
    (channel, uid, privileges), token = V006[case]

    made = agora_006.token_made(
        app_id=APP_ID,
        certificate=CERTIFICATE,
        channel=channel,
        uid=uid,
        privileges=until(1_446_455_471, privileges),
        expires_at=ISSUED_AT,
        salt=1,
    )

    assert made == token


@pytest.mark.parametrize("case", V006)
def test_version_006_is_read_back(case):
    (channel, uid, privileges), token = V006[case]

    read = agora_006.token_verified(token=token, certificate=CERTIFICATE, channel=channel, uid=uid, now=ISSUED_AT - 1)

    assert (read.app_id, read.salt, read.expires_at) == (APP_ID, 1, ISSUED_AT)
    assert read.privileges == until(1_446_455_471, privileges)


def test_version_006_has_the_parts_that_agora_states():
    read = agora_006.token_read(V006["a uid that may join"][1])

    assert read.message().hex() == "0100000047f4100001000100af283756"
    assert read.signature.hex() == "95d1f654070fbbd9c5682fd7b218687743a3e88bc6e08f054b9f229227239747"
    assert (read.channel_crc, read.uid_crc) == (276_646_071, 3_847_331_927)


@pytest.mark.parametrize("case", V007)
def test_version_007_carries_the_same_payload(case):
    services, signature, token = V007[case]

    made = contents_007(services)

    assert made.signature(CERTIFICATE).hex() == signature
    assert token_inflated(made.signed(CERTIFICATE)) == token_inflated(token)


@pytest.mark.parametrize("case", V007)
def test_version_007_is_read_back(case):
    services, signature, token = V007[case]

    read, found = token_read(token)

    assert read == contents_007(in_order(services))
    assert found.hex() == signature
    assert token_verified(token=token, certificate=CERTIFICATE, now=ISSUED_AT) == read


@pytest.mark.parametrize("now", [ISSUED_AT - 1, ISSUED_AT + 600])
def test_version_007_is_no_good_before_and_after_its_time(now):
    with pytest.raises(TokenMalformed, match="not valid at this time"):
        token_verified(token=V007["any uid"][2], certificate=CERTIFICATE, now=now)


def test_another_certificate_signed_neither():
    other = "0" * 32

    with pytest.raises(TokenMalformed, match="signature"):
        token_verified(token=V007["any uid"][2], certificate=other, now=ISSUED_AT)
    with pytest.raises(TokenMalformed, match="signature"):
        agora_006.token_verified(
            token=V006["a uid that may join"][1], certificate=other, channel=CHANNEL, uid=UID, now=1
        )


@pytest.mark.parametrize(("channel", "uid"), [("another", UID), (CHANNEL, "1"), (CHANNEL, "")])
def test_version_006_is_for_no_other_channel_or_uid(channel, uid):
    with pytest.raises(TokenMalformed):
        agora_006.token_verified(
            token=V006["a uid that may join"][1], certificate=CERTIFICATE, channel=channel, uid=uid, now=1
        )
