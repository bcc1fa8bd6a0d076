"""WHIP and WHEP over HTTP: RFC 9725 and the WHEP draft, and every refusal."""

import asyncio
import base64
import json

import pytest

from bench.media.client import MediaClient
from media_node.config import Limits
from tests.media_node.show import ROOM, SDP, eventually, running

pytestmark = pytest.mark.waits

FRAGMENT = "application/trickle-ice-sdpfrag"
TRICKLE = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"


@pytest.fixture
async def show():
    async with running() as show:
        yield show


@pytest.fixture
def offer():
    client = MediaClient("publisher")
    yield client.offer()
    client.close()


async def published(show, offer, user="ada"):
    token = show.token(user)
    status, headers, _ = await show.offer("whip", offer, token=token)
    assert status == 201
    return token, headers


async def test_an_offer_is_answered_with_a_resource(show, offer):
    status, headers, answer = await show.offer("whip", offer, token=show.token())

    peer = next(iter(show.engine.peers.values()))
    assert status == 201
    assert headers["Location"] == f"/whip/{ROOM}/{peer.resource}"
    assert headers["ETag"] == f'"{peer.ufrag}"'
    assert headers["Content-Type"] == SDP
    assert headers["Accept-Patch"] == FRAGMENT
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Location" in headers["Access-Control-Expose-Headers"]
    assert "a=ice-lite" in answer


async def test_preflight_requests_are_allowed_from_anywhere(show):
    for path, methods in (
        (f"/whip/{ROOM}", "POST, OPTIONS"),
        (f"/whep/{ROOM}", "POST, OPTIONS"),
        (f"/whip/{ROOM}/x", "DELETE, PATCH, GET, OPTIONS"),
    ):
        status, headers, _ = await show.call("OPTIONS", path, Origin="https://obs.example")

        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Access-Control-Allow-Methods"] == methods
        assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert (await show.call("OPTIONS", f"/whip/{ROOM}"))[1]["Accept-Post"] == SDP


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
async def test_other_methods_are_refused(show, method):
    status, headers, body = await show.call(method, f"/whip/{ROOM}")

    assert (status, body["error"]["code"]) == (405, "invalid")
    assert "POST" in headers["Allow"]


async def test_turn_servers_are_told_in_link_headers(offer):
    async with running(turn_urls=("turn:turn.example:3478",), turn_secret="north") as show:
        _, headers, _ = await show.offer("whip", offer, token=show.token())

        assert headers["Link"].startswith('<turn:turn.example:3478>; rel="ice-server"; username="')


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"token": None}, (401, "media.bad_token")),
        ({"token": "nonsense"}, (401, "media.bad_token")),
        ({"session": "another"}, (403, "media.wrong_session")),
        ({"role": "subscriber"}, (403, "media.wrong_role")),
        ({"node": "other"}, (401, "media.bad_token")),
        ({"age": 700}, (401, "media.bad_token")),
        ({"secret": "another secret, as long as the right one"}, (401, "media.bad_token")),
        ({"type": "text/plain"}, (415, "media.unsupported_media")),
        ({"body": "hello"}, (400, "media.bad_offer")),
        ({"body": b"v=0\r\n\xff\xfe"}, (400, "media.bad_offer")),
        ({"body": "v=0\r\n" + "a=x\r\n" * 60_000}, (413, "media.too_large")),
    ],
)
async def test_a_refusal_has_its_code_and_leaves_nothing(show, offer, change, expected):
    options = {key: change[key] for key in ("role", "node", "age", "secret", "session") if key in change}
    token = change["token"] if "token" in change else show.token("eve", **options)

    status, headers, body = await show.call(
        "POST",
        f"/whip/{ROOM}",
        token=token,
        body=change.get("body", offer),
        Content_Type=change.get("type", SDP),
    )

    assert (status, body["error"]["code"]) == expected
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert show.engine.peers == show.engine.rooms == {}


@pytest.mark.parametrize(
    ("sources", "directions"),
    [
        (("audio", "camera", "screen"), ["recvonly", "recvonly"]),
        (("camera",), ["inactive", "recvonly"]),
        (("audio", "screen"), ["recvonly", "inactive"]),
    ],
)
async def test_a_publisher_may_send_what_his_grant_names_and_nothing_else(show, offer, sources, directions):
    _, _, answer = await show.offer("whip", offer, token=show.token(sources=sources))

    assert [line[2:] for line in answer.split("\r\n") if line in ("a=recvonly", "a=inactive")] == directions
    assert len(next(iter(show.engine.peers.values())).tracks) == directions.count("recvonly")


async def test_a_grant_that_allows_nothing_of_the_offer_is_refused(show, offer):
    status, _, body = await show.offer("whip", offer, token=show.token(sources=("screen",)))

    assert (status, body["error"]["code"]) == (403, "media.wrong_role")
    assert show.engine.peers == {}


async def test_every_bad_token_gets_the_same_answer(show, offer):
    tokens = ["x", show.token(age=700), show.token(node="other"), show.token(secret="z" * 40), "a.b.c" * 400]

    answers = [await show.offer("whip", offer, token=token) for token in tokens]

    assert len({(status, json.dumps(body), headers["WWW-Authenticate"]) for status, headers, body in answers}) == 1


async def test_a_chunked_body_is_limited_too(show):
    async def endless():
        for _ in range(100):
            yield b"a=x\r\n" * 1000

    status, _, body = await show.call("POST", f"/whip/{ROOM}", token=show.token(), body=endless(), Content_Type=SDP)

    assert (status, body["error"]["code"]) == (413, "media.too_large")


async def test_nobody_publishing_is_said_with_a_time_to_come_back(show):
    viewer = MediaClient("viewer")

    status, headers, body = await show.offer("whep", viewer.offer(), token=show.token("ben", "subscriber"))

    assert (status, headers["Retry-After"]) == (404, "1")
    assert body["error"] == {
        "code": "media.not_live",
        "retry_after": 1,
        "message": "No one is publishing in this session yet.",
    }
    viewer.close()


async def test_the_owner_ends_the_resource(show, offer):
    token, headers = await published(show, offer)

    status, _, _ = await show.call("DELETE", headers["Location"], token=token)

    assert status == 200
    assert show.engine.peers == show.engine.rooms == {}
    assert (await show.call("DELETE", headers["Location"], token=token))[0] == 404


async def test_the_token_that_made_a_resource_ends_it_even_after_its_expiry(show, offer):
    token = show.token("ada", age=0.0, lifetime=-59.0)
    _, headers, _ = await show.offer("whip", offer, token=token)
    await asyncio.sleep(1.2)
    assert (await show.offer("whip", offer, token=token))[0] == 401

    assert (await show.call("DELETE", headers["Location"], token=token))[0] == 200


async def test_to_others_the_resource_does_not_exist(show, offer):
    _, headers = await published(show, offer)
    eve, elsewhere = show.token("eve"), show.token("ada", session="another")

    for method in ("DELETE", "PATCH"):
        for token, expected in ((None, 401), ("x", 401), (eve, 404), (elsewhere, 404)):
            status, _, body = await show.call(method, headers["Location"], token=token)
            guessed, _, same = await show.call(method, f"/whip/{ROOM}/guess", token=token)
            assert (status, body) == (guessed, same)
            assert status == expected

    assert len(show.engine.peers) == 1


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content_Type": FRAGMENT, "If_Match": "ETAG"}, TRICKLE, 204),
        ({"Content_Type": FRAGMENT}, TRICKLE, 428),
        ({"Content_Type": FRAGMENT, "If_Match": '"other"'}, TRICKLE, 412),
        ({"Content_Type": FRAGMENT, "If_Match": "*"}, "a=ice-ufrag:new\r\na=ice-pwd:pw\r\n", 422),
        ({"Content_Type": FRAGMENT, "If_Match": "ETAG"}, "a=ice-ufrag:new\r\n", 422),
        ({"Content_Type": FRAGMENT, "If_Match": '"other", ETAG'}, TRICKLE, 204),
        ({"Content_Type": FRAGMENT, "If_Match": 'ETAG ,W/"other"'}, TRICKLE, 204),
        ({"Content_Type": FRAGMENT, "If_Match": "W/ETAG"}, TRICKLE, 412),
        ({"Content_Type": FRAGMENT, "If_Match": '"a", W/ETAG'}, TRICKLE, 412),
        ({"Content_Type": FRAGMENT, "If_Match": "UNQUOTED"}, TRICKLE, 412),
        ({"Content_Type": FRAGMENT, "If_Match": "ETAG, nonsense"}, TRICKLE, 412),
        ({"Content_Type": FRAGMENT, "If_Match": ",".join(['"x"'] * 17)}, TRICKLE, 412),
        ({"Content_Type": FRAGMENT, "If_Match": "ETAG"}, "nonsense", 422),
        ({"Content_Type": FRAGMENT, "If_Match": "ETAG"}, "", 422),
        ({"Content_Type": SDP, "If_Match": "ETAG"}, TRICKLE, 415),
    ],
)
async def test_patch_takes_trickled_candidates_and_no_restart(show, offer, headers, body, status):
    token, created = await published(show, offer)
    tag = created["ETag"]
    sent = {key: value.replace("ETAG", tag).replace("UNQUOTED", tag.strip('"')) for key, value in headers.items()}

    answered, _, _ = await show.call("PATCH", created["Location"], token=token, body=body, **sent)

    assert answered == status


async def test_a_user_who_never_connects_is_held_back(offer):
    async with running(limits=Limits(posts_per_user_burst=50)) as show:
        answers = [await show.offer("whep" if n < 0 else "whip", offer, token=show.token("eve")) for n in range(20)]
        # A newer attempt of the same publisher frees the one before it, so only the rate limit stops them.
        assert [status for status, _, _ in answers] == [201] * 20
        assert len(show.engine.peers) == 1

    async with running(limits=Limits(posts_per_user_burst=5)) as show:
        answers = [await show.offer("whip", offer, token=show.token("eve")) for _ in range(10)]

        statuses = [status for status, _, _ in answers]
        assert statuses[:5] == [201] * 5
        assert statuses[-1] == 429
        assert answers[-1][2]["error"]["code"] == "media.too_many"
        assert answers[-1][1]["Retry-After"] == "2"
        assert (await show.offer("whip", offer, token=show.token("ada")))[0] == 201


async def test_viewers_who_never_connect_are_held_back_and_freed():
    async with running(handshake_seconds=1.0) as show:
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: show.engine.rooms[ROOM].is_live)
        viewer = MediaClient("viewer")

        statuses = [
            (await show.offer("whep", viewer.offer(), token=show.token("eve", "subscriber")))[0] for _ in range(12)
        ]

        assert statuses == [201] * 8 + [429] * 4
        await eventually(lambda: not show.engine.rooms[ROOM].viewers, seconds=4)
        viewer.close()


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/live/v2", "/live/v2/whip/"),
        ("/live/", "/live/whip/"),
        ("", "/whip/"),
        ("//elsewhere.example", "/whip/"),
        ("https://elsewhere.example", "/whip/"),
        ("/a b", "/whip/"),
        ("/x" * 9, "/whip/"),
    ],
)
async def test_the_resource_is_named_under_the_path_at_which_a_proxy_shows_us(show, offer, prefix, path):
    _, headers, _ = await show.offer("whip", offer, token=show.token(), X_Forwarded_Prefix=prefix)

    assert headers["Location"].startswith(f"{path}{ROOM}/")
    assert (await show.call("DELETE", f"/whip/{headers['Location'].partition('/whip/')[2]}", token=show.token()))[
        0
    ] == 200


@pytest.mark.parametrize("session", [ROOM + "/", ROOM.upper(), ROOM.upper() + "/"])
async def test_a_session_is_found_with_a_slash_behind_it_and_in_capitals(show, offer, session):
    status, headers, _ = await show.offer("whip", offer, token=show.token(), session=session)

    assert (status, headers["Location"].rpartition("/")[0]) == (201, f"/whip/{ROOM}")
    assert (await show.call("DELETE", headers["Location"].replace(ROOM, ROOM.upper()), token=show.token()))[0] == 200


async def test_attempts_are_counted_by_the_address_that_the_proxy_names(offer):
    limits = Limits(posts_per_address=0.001, posts_per_address_burst=3)
    async with running(limits=limits) as show:

        async def attempt(user, address):
            return (await show.offer("whip", offer, token=show.token(user), X_Forwarded_For=address))[0]

        # The proxy appends its own value to the client's claims; the claims must not matter.
        statuses = [await attempt(f"eve-{n}", f"198.51.100.{n}, 203.0.113.5") for n in range(5)]

        assert statuses == [201, 201, 201, 429, 429]
        assert await attempt("ada", "198.51.100.0, 203.0.113.6") == 201


@pytest.mark.parametrize(
    ("limits", "addresses"),
    [
        (Limits(pending=3), ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"]),
        (Limits(pending_per_address=3), ["203.0.113.1"] * 4),
    ],
)
async def test_a_crowd_of_unfinished_connections_holds_back_viewers_and_no_host(offer, limits, addresses):
    async with running(limits=limits) as show:
        await send_key_frame(await show.synthetic("publisher", "ada"))
        await eventually(lambda: show.engine.rooms[ROOM].is_live)
        viewer = MediaClient("viewer")

        async def attempt(protocol, user, address, sdp):
            token = show.token(user, "subscriber" if protocol == "whep" else "publisher")
            return (await show.offer(protocol, sdp, token=token, X_Forwarded_For=address))[0]

        statuses = [await attempt("whep", f"ben-{n}", at, viewer.offer()) for n, at in enumerate(addresses)]

        assert statuses == [201] * 3 + [429]
        assert await attempt("whip", "host", addresses[-1], offer) == 201
        viewer.close()


async def test_one_user_has_so_many_connections_and_not_one_more(offer):
    async with running(limits=Limits(peers_per_user=3, pending_per_user=100)) as show:
        await send_key_frame(await show.synthetic("publisher", "ada"))
        await eventually(lambda: show.engine.rooms[ROOM].is_live)
        viewer, token = MediaClient("viewer"), show.token("ben", "subscriber")

        answers = [await show.offer("whep", viewer.offer(), token=token) for _ in range(4)]
        assert [status for status, _, _ in answers] == [201] * 3 + [429]
        assert (await show.call("DELETE", answers[0][1]["Location"], token=token))[0] == 200

        assert (await show.offer("whep", viewer.offer(), token=token))[0] == 201
        viewer.close()


async def test_the_node_is_full_at_its_limit(offer):
    async with running(limits=Limits(peers=3)) as show:
        for number in range(3):
            assert (await show.offer("whip", offer, token=show.token(f"ada-{number}")))[0] == 201

        viewer = show.token("ben", role="subscriber")
        assert (await show.offer("whep", offer, token=viewer))[0] == 429
        # A crowd never blocks a host.
        assert (await show.offer("whip", offer, token=show.token("host")))[0] == 201


async def send_key_frame(client):
    from media_node.wire.rtp import rtp_build

    client.send_rtp(
        rtp_build(
            marker=128,
            payload_type=96,
            sequence=1,
            timestamp=0,
            ssrc=client.video_ssrc,
            payload=base64.b64decode("EBAA"),
        )
    )
