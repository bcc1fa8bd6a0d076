"""Webhooks of LiveKit, Agora, Daily and Mux: accepted when signed and fresh, applied once, in any order."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.utils import timezone

from livestream.actors import actor_of
from livestream.errors import Invalid
from providers.interface import MediaRole
from providers.webhooks.base import WebhookForged
from providers.webhooks.registry import WEBHOOK_PARSERS
from streams.models import Participant, ProviderDelivery
from streams.payloads import host_present
from streams.selectors import session_get
from streams.services.people.revocation import Lost, credentials_revoke
from streams.services.provider.cloud_reconcile import session_reconcile
from streams.services.provider.webhook_deliveries import delivery_accept
from tests.bodies import assert_error
from tests.cast import let_in, make_show
from tests.providers.setups import SECRET, stand_in_of
from tests.threads import at_once
from tokens.services import media_token_issue

DAILY_SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
PROVIDERS = ("livekit", "agora", "daily", "mux")


# ---- Signing as the vendors do -------------------------------------------------------------------------------------


def sign_livekit(body, now, secret=SECRET, **changes):
    claims = {
        "iss": "APIkey",
        "nbf": int(now) - 5,
        "exp": int(now) + 300,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    return {"Authorization": jwt.encode(claims | changes, secret, algorithm="HS256")}


def sign_agora(body, now, secret="hook secret"):
    return {"Agora-Signature-V2": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def sign_daily(body, now, secret=DAILY_SECRET):
    signed = str(int(now)).encode() + b"." + body
    digest = hmac.digest(base64.b64decode(secret), signed, "sha256")
    return {"X-Webhook-Timestamp": str(int(now)), "X-Webhook-Signature": base64.b64encode(digest).decode()}


def sign_mux(body, now, secret="SuperSecret123"):
    digest = hmac.new(secret.encode(), str(int(now)).encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Mux-Signature": f"t={int(now)},v1={digest}"}


SIGN = {"livekit": sign_livekit, "agora": sign_agora, "daily": sign_daily, "mux": sign_mux}
OTHER_SECRET = {"livekit": "x" * 40, "agora": "x", "daily": base64.b64encode(b"x" * 32).decode(), "mux": "x"}
NUMBERS = itertools.count(1)

# Each vendor's events: the host's media arrives, the host's media is gone, a viewer joins.
NAMES = {
    "livekit": {"there": "track_published", "gone": "participant_left", "joined": "participant_joined"},
    "agora": {"there": 103, "gone": 104, "joined": 105},
    "daily": {"there": "participant.joined", "gone": "participant.left", "joined": "participant.joined"},
    "mux": {"there": "video.live_stream.active", "gone": "video.live_stream.idle"},
}


def event(provider, session, what, uid, *, at=None, id=None):
    """Return an event in the vendor's format."""
    at = at or datetime.now(UTC)
    id = id or f"event-{next(NUMBERS)}"
    name = NAMES[provider][what]
    match provider:
        case "livekit":
            return {
                "event": name,
                "room": {"sid": "RM_1", "name": session.channel_id},
                "participant": {
                    "identity": uid,
                    "permission": {"canSubscribe": True} | ({"canPublish": True} if what == "there" else {}),
                },
                "id": id,
                "createdAt": str(int(at.timestamp())),
            }
        case "agora":
            return {
                "noticeId": id,
                "productId": 1,
                "eventType": name,
                "notifyMs": int(time.time() * 1000),
                "payload": {"channelName": session.channel_id, "uid": int(uid), "ts": int(at.timestamp())},
            }
        case "daily":
            return {
                "version": "1.0.0",
                "type": name,
                "id": id,
                "payload": {
                    "room": session.channel_id,
                    "user_id": uid,
                    "permissions": {"canSend": ["video", "audio"] if what == "there" else False},
                },
                "event_ts": at.timestamp(),
            }
        case _:
            return {
                "type": name,
                "id": id,
                "created_at": at.isoformat().replace("+00:00", "Z"),
                "object": {"type": "live", "id": "ls-1"},
                "data": {"passthrough": session.channel_id, "stream_key": "a secret of the host", "status": "active"},
            }


def deliver(client, provider, document, *, now=None, headers=None):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    signed = SIGN[provider](body, time.time() if now is None else now) if headers is None else headers
    return client.generic(
        "POST", f"/webhooks/{provider}/", body, content_type="application/webhook+json", headers=signed
    )


@pytest.fixture(params=PROVIDERS)
def vendor(request, settings):
    settings.DAILY_WEBHOOK_SECRET = [DAILY_SECRET]
    with stand_in_of(request.param, settings) as server:
        server.vendor = request.param
        yield server


@pytest.fixture
def staged(vendor, ada):
    """A show at the vendor, whose host holds a token to publish with; and the host's uid there."""
    session = make_show(ada, provider=vendor.vendor)
    made = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER)
    return session_get(session.pk), made.uid


def present(session):
    return host_present(session_get(session.pk))


@pytest.mark.parametrize(
    ("participant", "expected"), [("", "joined"), ("STANDARD", "joined"), ("EGRESS", "other"), ("AGENT", "other")]
)
def test_a_recorder_of_livekits_own_is_nobody_who_came_with_a_token(participant, expected):
    person = {"identity": "EG_1", "permission": {"canSubscribe": True}} | ({"kind": participant} if participant else {})
    document = {"event": "participant_joined", "id": "EV_1", "room": {"name": "show-7"}, "participant": person}

    event = WEBHOOK_PARSERS["livekit"].read(body=json.dumps(document | {"createdAt": "1700000000"}).encode())

    assert event.kind == expected


# ---- Signatures ----------------------------------------------------------------------------------------------------

VECTORS = {
    "livekit": (
        b'{"event":"participant_joined","room":{"sid":"RM_1","name":"show-7"},"participant":{"identity":"u42"},'
        b'"id":"EV_1","createdAt":"1700000000"}',
        None,
        1_700_000_000,
    ),
    "agora": (
        b'{"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,'
        b'"payload":{"a":"1","b":2},"productId":1}',
        {"Agora-Signature-V2": "de96da5acf03b0021ac3b4fa2225e7ae6f3533a30d50bb02c08ea4fa748bda24"},
        1_560_408_533,
    ),
    "daily": (
        b'{"version":"1.0.0","type":"participant.joined","id":"evt-1","payload":{"room":"show-7","user_id":"u42"},'
        b'"event_ts":1700000000.5}',
        {
            "X-Webhook-Timestamp": "1700000000",
            "X-Webhook-Signature": "slcR7+8MbbyPvAPlhpC8r8vsR8uNUEVdu53qjWQKR8g=",
        },
        1_700_000_000,
    ),
    "mux": (
        b'{"test":"body"}',
        {"Mux-Signature": "t=1565125718,v1=854ece4c22acef7c66b57d4e504153bc512595e8e9c772ece2a68150548c19a7"},
        1_565_125_718,
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_vendors_own_vectors_are_right_and_nothing_near_them(settings, provider):
    settings.AGORA_WEBHOOK_SECRET, settings.DAILY_WEBHOOK_SECRET = ["secret"], [DAILY_SECRET]
    settings.MUX_WEBHOOK_SIGNING_SECRET = ["SuperSecret123"]
    settings.LIVEKIT_API_KEY, settings.LIVEKIT_API_SECRET = "APIkey", SECRET
    body, headers, now = VECTORS[provider]
    headers = headers or sign_livekit(body, now)
    inbox = WEBHOOK_PARSERS[provider]

    inbox.verify(body=body, headers=headers, now=now)
    if provider == "livekit":
        claims = jwt.decode(headers["Authorization"], options={"verify_signature": False})
        assert claims["sha256"] == "9Zyl28jzBpBGXeR26dbzcVLvhUiG7rbYxOiZZgJ2igE="
    for wrong in (body + b" ", body.replace(b"o", b"0"), b""):
        with pytest.raises(WebhookForged):
            inbox.verify(body=wrong, headers=headers, now=now)
    with pytest.raises(WebhookForged):
        inbox.verify(body=body, headers={}, now=now)
    for late in (-1000, 1000):
        with pytest.raises(WebhookForged):
            inbox.verify(body=body, headers=headers, now=now + late)


FORGED = {
    "unsigned": lambda provider, body: {},
    "another secret": lambda provider, body: SIGN[provider](body, time.time(), OTHER_SECRET[provider]),
    "too old": lambda provider, body: SIGN[provider](body, time.time() - 1000),
    "from the future": lambda provider, body: SIGN[provider](body, time.time() + 1000),
    "another body": lambda provider, body: SIGN[provider](body + b" ", time.time()),
    "empty": lambda provider, body: dict.fromkeys(SIGN[provider](body, time.time()), ""),
    "garbage": lambda provider, body: dict.fromkeys(SIGN[provider](body, time.time()), "é{}=,==;" * 50),
    "very long": lambda provider, body: dict.fromkeys(SIGN[provider](body, time.time()), "0" * 20_000),
    "another scheme": lambda provider, body: {
        name: f"Bearer {value}" for name, value in SIGN[provider](body, time.time()).items()
    },
}


@pytest.mark.parametrize("how", FORGED)
def test_what_the_vendor_did_not_sign_now_does_nothing(client, vendor, staged, how):
    session, uid = staged
    document = event(vendor.vendor, session, "there", uid)
    if vendor.vendor == "agora" and how in ("too old", "from the future"):
        document["notifyMs"] += -1_000_000 if how == "too old" else 1_000_000
    body = json.dumps(document).encode()

    answer = deliver(client, vendor.vendor, body, headers=FORGED[how](vendor.vendor, body))

    assert_error(answer, 403, "webhook.bad_signature")
    assert ProviderDelivery.objects.count() == 0
    assert not present(session)


def test_livekits_key_alone_is_not_enough_without_an_end(client, settings, ada):
    with stand_in_of("livekit", settings):
        session = make_show(ada, provider="livekit")
        body = json.dumps(event("livekit", session, "there", str(ada.pk))).encode()
        for changes in ({"iss": "another"}, {"exp": None}, {"sha256": None}, {"exp": int(time.time()) + 86_400}):
            headers = sign_livekit(body, time.time(), **changes) if None not in changes.values() else None
            if headers is None:
                claims = jwt.decode(
                    sign_livekit(body, time.time())["Authorization"], options={"verify_signature": False}
                )
                kept = {name: value for name, value in claims.items() if name not in changes}
                headers = {"Authorization": jwt.encode(kept, SECRET, algorithm="HS256")}
            assert_error(deliver(client, "livekit", body, headers=headers), 403, "webhook.bad_signature")


def test_two_secrets_are_good_while_one_is_being_changed(client, settings, ada):
    with stand_in_of("mux", settings):
        settings.MUX_WEBHOOK_SIGNING_SECRET = ["new", "old"]
        session = make_show(ada, provider="mux")
        for secret in ("old", "new"):
            body = json.dumps(event("mux", session, "there", "host")).encode()
            answer = deliver(client, "mux", body, headers=sign_mux(body, time.time(), secret))
            assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "t={now},t={now},v1={good}",
        "t={now},t={old},v1={good}",
        "t={old},t={now},v1={good}",
        "v1={good}",
        "t=,v1={good}",
        "t={now}",
        "t={now},v1=",
    ],
)
def test_a_signature_of_mux_has_one_time_and_one_or_more_digests(client, settings, ada, header):
    with stand_in_of("mux", settings):
        session = make_show(ada, provider="mux")
        body, now = json.dumps(event("mux", session, "there", "host")).encode(), int(time.time())
        good = sign_mux(body, now)["Mux-Signature"].partition("v1=")[2]

        def answer(header):
            signature = header.format(now=now, old=now - 60, good=good)
            return deliver(client, "mux", body, headers={"Mux-Signature": signature})

        assert_error(answer(header), 403, "webhook.bad_signature")
        assert ProviderDelivery.objects.count() == 0
        assert answer("t={now},v1=" + "0" * 64 + ",v1={good}").json() == {"applied": True}


@pytest.mark.parametrize("provider", [*PROVIDERS, "whip", "nothing"])
def test_who_is_not_set_up_here_is_not_listened_to(client, db, provider):
    body = b"{}"
    headers = SIGN[provider](body, time.time()) if provider in SIGN else {}

    assert client.generic("POST", f"/webhooks/{provider}/", body, headers=headers).status_code == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 20_000, b"{}", b'{"id": 1}', b'{"event": {}, "id": [], "type": {}}'],
)
def test_a_signed_body_that_is_no_event_is_refused(client, vendor, db, body):
    answer = deliver(client, vendor.vendor, body)

    assert_error(answer, 400, "webhook.bad_shape")
    assert ProviderDelivery.objects.count() == 0


ID_NAMES = {"livekit": "id", "agora": "noticeId", "daily": "id", "mux": "id"}


@pytest.mark.parametrize("id", [None, "", [], {}])
def test_an_event_without_an_id_is_refused_since_it_could_not_be_applied_once(client, vendor, staged, id):
    session, uid = staged
    document = event(vendor.vendor, session, "there", uid) | {ID_NAMES[vendor.vendor]: id}

    assert_error(deliver(client, vendor.vendor, document), 400, "webhook.bad_shape")
    assert ProviderDelivery.objects.count() == 0


def test_what_is_too_big_is_not_read(client, vendor, db):
    assert_error(deliver(client, vendor.vendor, b" " * 300_000), 413, "too_big")


def test_a_trial_of_daily_is_answered(client, settings, db):
    settings.DAILY_WEBHOOK_SECRET = [DAILY_SECRET]
    with stand_in_of("daily", settings):
        assert deliver(client, "daily", {"test": "test"}).status_code == 200
    assert ProviderDelivery.objects.count() == 0


# ---- Their effects -------------------------------------------------------------------------------------------------


def test_the_hosts_media_come_and_go(client, vendor, staged):
    session, uid = staged
    now = datetime.now(UTC)

    assert deliver(client, vendor.vendor, event(vendor.vendor, session, "there", uid, at=now)).status_code == 200
    assert present(session)

    later = now + timedelta(seconds=5)
    assert deliver(client, vendor.vendor, event(vendor.vendor, session, "gone", uid, at=later)).status_code == 200
    assert not present(session)


def test_in_any_order_the_last_state_counts(client, vendor, ada):
    now = datetime.now(UTC)
    for order in itertools.permutations([("there", 0), ("gone", 5), ("there", 10)]):
        session = make_show(ada, provider=vendor.vendor)
        uid = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER).uid
        session = session_get(session.pk)
        for what, after in order:
            at = now + timedelta(seconds=after)
            assert deliver(client, vendor.vendor, event(vendor.vendor, session, what, uid, at=at)).status_code == 200
        assert present(session), order


def test_the_same_event_again_changes_nothing(client, vendor, staged):
    session, uid = staged
    now = datetime.now(UTC)
    first = event(vendor.vendor, session, "there", uid, at=now)
    deliver(client, vendor.vendor, first)
    deliver(client, vendor.vendor, event(vendor.vendor, session, "gone", uid, at=now + timedelta(seconds=5)))

    answer = deliver(client, vendor.vendor, first)

    assert (answer.status_code, answer.json()) == (200, {"applied": False})
    assert not present(session)
    assert ProviderDelivery.objects.count() == 2


def test_nothing_secret_of_an_event_is_kept(client, vendor, staged):
    session, uid = staged

    deliver(client, vendor.vendor, event(vendor.vendor, session, "there", uid))

    row = ProviderDelivery.objects.get()
    assert set(row.payload) == {"type", "kind", "channel_id", "uid", "at", "publishes"}
    assert "secret" not in str(row.payload)


@pytest.mark.parametrize("channel", ["live-unknown", "", "test_webhook"])
def test_channels_that_are_no_shows_change_nothing(client, vendor, staged, channel):
    session, uid = staged
    other = session_get(session.pk)
    other.channel_id = channel

    assert deliver(client, vendor.vendor, event(vendor.vendor, other, "there", uid)).status_code == 200
    assert not present(session)


def test_a_delivery_is_applied_once_however_often_it_comes(db):
    applied = []

    def accept(id):
        return delivery_accept(
            provider="mux",
            delivery_id=id,
            type="x",
            payload={},
            apply=lambda: applied.append(id),
            now=timezone.now(),
        )

    assert [accept(id) for id in ("1", "1", "2", "1", "2")] == [True, False, True, False, False]
    assert applied == ["1", "2"]


def test_a_delivery_that_could_not_be_applied_is_applied_when_it_comes_again(db):
    def fail():
        raise Invalid("webhook.bad_shape", "The report names no session.")

    delivery = {"provider": "mux", "delivery_id": "1", "type": "x", "payload": {}, "now": timezone.now()}
    with pytest.raises(Invalid):
        delivery_accept(apply=fail, **delivery)

    applied = []
    assert delivery_accept(apply=lambda: applied.append(1), **delivery)
    assert applied == [1]


@pytest.mark.django_db(transaction=True)
def test_an_event_repeated_by_twenty_at_once_counts_once(client, settings, ada):
    from django.test import Client

    with stand_in_of("livekit", settings):
        session = make_show(ada, provider="livekit")
        media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER)
        document = event("livekit", session, "there", str(ada.pk))

        answers = at_once(20, lambda _: deliver(Client(), "livekit", document).json()["applied"])

    assert sorted(answers) == [False] * 19 + [True]
    assert present(session)


# ---- Old credentials -----------------------------------------------------------------------------------------------

WITH_PEOPLE = ("livekit", "agora", "daily")


@pytest.mark.parametrize("lost", list(Lost))
@pytest.mark.parametrize("provider", WITH_PEOPLE)
def test_who_comes_back_with_what_was_taken_is_sent_away(
    client, settings, ada, ben, provider, lost, django_capture_on_commit_callbacks
):
    settings.DAILY_WEBHOOK_SECRET = [DAILY_SECRET]
    with stand_in_of(provider, settings) as server:
        session = make_show(ada, provider=provider)
        let_in(session, ben, role="guest")
        made = [media_token_issue(session_id=session.pk, actor=actor_of(ben), role=role) for role in MediaRole]
        session = session_get(session.pk)
        credentials_revoke(session_id=session.pk, user_id=ben.pk, lost=lost, now=timezone.now())
        Participant.objects.filter(user=ben).update(role="viewer")
        server.enter(session.channel_id, made[0].uid, ("audio", "video"))

        with django_capture_on_commit_callbacks(execute=True):
            deliver(client, provider, event(provider, session, "there", made[0].uid))

        assert server.senders(session.channel_id) == set()
        if lost == Lost.EVERYTHING:
            assert server.present(session.channel_id) == set()


@pytest.mark.parametrize("provider", WITH_PEOPLE)
def test_who_was_lost_on_the_way_is_found_when_the_provider_is_asked(
    settings, ada, ben, provider, django_capture_on_commit_callbacks
):
    with stand_in_of(provider, settings) as server:
        session = make_show(ada, provider=provider)
        host = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER)
        watcher = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.SUBSCRIBER)
        session = session_get(session.pk)
        for made in (host, watcher):
            server.enter(session.channel_id, made.uid, ("video",))

        with django_capture_on_commit_callbacks(execute=True):
            session_reconcile(session=session, now=timezone.now())
        assert present(session)
        assert server.senders(session.channel_id) == {host.uid}

        server.rooms.clear()
        for seconds in (60, 65):
            session_reconcile(session=session_get(session.pk), now=timezone.now() + timedelta(seconds=seconds))
        assert not present(session)
