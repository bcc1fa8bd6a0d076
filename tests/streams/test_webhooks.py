"""Reports of the media node: accepted only when signed, applied once, in any order."""

import itertools
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client

from media_node.reports import SIGNATURE_HEADER, report_sign
from streams.models import ProviderDelivery
from streams.payloads import host_present
from streams.selectors import session_get
from tests.bodies import assert_error
from tests.cast import make_show
from tests.threads import at_once

URL = "/webhooks/builtin/"


def report(show, kind="publisher.connected", *, after=0, **changes):
    at = datetime.now(UTC) + timedelta(seconds=after)
    return {
        "id": str(uuid.uuid4()),
        "type": kind,
        "node": "local",
        "at": at.isoformat(),
        "session": str(show.pk),
        "user": str(show.host_id),
        "resource": "r1",
        "data": {},
        **changes,
    }


def signature(body, *, secret=None, now=None):
    return report_sign(body=body, secret=secret or settings.MEDIA_SECRET, now=time.time() if now is None else now)


def deliver(client, body, header=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {SIGNATURE_HEADER: signature(body) if header is None else header}
    return client.generic("POST", URL, body, content_type="application/json", headers=headers)


def present(session):
    return host_present(session_get(session.pk))


def test_a_signed_report_is_applied(client, show):
    answer = deliver(client, report(show))

    assert (answer.status_code, answer.json()) == (200, {"applied": True})
    assert present(show)
    row = ProviderDelivery.objects.get()
    assert (row.provider, row.type, row.payload["session"]) == ("builtin", "publisher.connected", str(show.pk))


def test_the_same_report_again_is_taken_and_not_applied(client, show):
    body = report(show)
    deliver(client, body)
    deliver(client, report(show, "publisher.lost", after=1))

    answer = deliver(client, body)

    assert (answer.status_code, answer.json()) == (200, {"applied": False})
    assert not present(show)


BODY = b'{"id": "1", "type": "publisher.connected"}'
NOW = 1_800_000_000

# header made from the body -> the sent body
FORGED = {
    "none": lambda body: ("", body),
    "nonsense": lambda body: ("nonsense", body),
    "no time": lambda body: (signature(body).split(",")[1], body),
    "no signature": lambda body: (signature(body).split(",")[0], body),
    "empty signature": lambda body: (signature(body).split("v1=")[0] + "v1=", body),
    "truncated": lambda body: (signature(body)[:-1], body),
    "one digit changed": lambda body: (
        signature(body)[:-1] + ("0" if signature(body)[-1] != "0" else "1"),
        body,
    ),
    "in capitals": lambda body: (signature(body).replace("v1=", "v1=X").upper(), body),
    "another secret": lambda body: (signature(body, secret="another"), body),
    "another time": lambda body: (signature(body).replace("t=", "t=1"), body),
    "an old signature under the time of now": lambda body: (
        f"t={int(time.time())},v1={signature(body, now=time.time() - 1000).split('v1=')[1]}",
        body,
    ),
    "301 s old": lambda body: (signature(body, now=time.time() - 301), body),
    "301 s ahead": lambda body: (signature(body, now=time.time() + 302), body),
    "a time that is none": lambda body: (f"t=1e9,v1={signature(body).split('v1=')[1]}", body),
    "a negative time": lambda body: (f"t=-5,v1={signature(body).split('v1=')[1]}", body),
    "arabic digits": lambda body: (f"t=١٢٣,v1={signature(body).split('v1=')[1]}", body),
    "one byte changed": lambda body: (signature(body), body.replace(b"publisher", b"publishes")),
    "one byte more": lambda body: (signature(body), body + b" "),
    "one byte less": lambda body: (signature(body), body[:-1]),
    "serialised again": lambda body: (signature(body), json.dumps(json.loads(body), indent=1).encode()),
    "keys in another order": lambda body: (
        signature(body),
        json.dumps(dict(reversed(json.loads(body).items()))).encode(),
    ),
    "a very long header": lambda body: ("v1=" + "0" * 60_000, body),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_report_that_the_node_did_not_sign_now_does_nothing(client, show, how):
    header, body = FORGED[how](json.dumps(report(show)).encode())

    answer = client.generic(
        "POST", URL, body, content_type="application/json", headers={SIGNATURE_HEADER: header} if header else {}
    )

    assert_error(answer, 403, "webhook.bad_signature")
    assert ProviderDelivery.objects.count() == 0
    assert not present(show)


@pytest.mark.parametrize("seconds", [-298, 298])
def test_a_clock_that_is_a_little_off_is_forgiven(client, show, seconds):
    body = json.dumps(report(show)).encode()

    assert deliver(client, body, signature(body, now=time.time() + seconds)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b"{}",
        b'{"id": 1}',
        b'{"id": null, "type": "x"}',
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"id": "1", "type": "publisher.connected"}',
        b'{"id": "1", "type": "publisher.lost", "session": "no id", "at": "2026-01-01T00:00:00Z"}',
        b'{"id": "1", "type": "publisher.lost", "session": "00000000-0000-4000-8000-000000000000", "at": "soon"}',
        b'{"id": "1", "type": "publisher.lost", "session": "00000000-0000-4000-8000-000000000000", "at": "2026-01-01"}',
    ],
)
def test_a_signed_body_that_is_no_report_is_refused(client, db, body):
    assert_error(deliver(client, body), 400, "webhook.bad_shape")
    assert ProviderDelivery.objects.count() == 0


@pytest.mark.parametrize("data", [None, [], "text", {"reason": None}])
def test_a_report_with_odd_details_is_still_a_report(client, show, data):
    assert deliver(client, report(show, data=data)).status_code == 200
    assert present(show)


def test_a_report_that_is_too_big_is_refused(client, db):
    assert_error(deliver(client, b'{"id": "1", "x": "' + b"x" * 300_000 + b'"}'), 413, "too_big")


def test_only_posts_are_taken(client, db):
    assert client.get(URL).status_code == 405


@pytest.mark.parametrize(
    "change",
    [
        {"user": "somebody else"},
        {"user": None},
        {"session": "00000000-0000-4000-8000-000000000000"},
        {"type": "node.started", "session": None},
        {"type": "something.new"},
        {"type": None},
        {"type": 7},
    ],
)
def test_reports_of_others_and_of_other_kinds_are_taken_and_change_nothing(client, show, change):
    answer = deliver(client, report(show, **change))

    assert answer.status_code == 200
    assert not present(show)


def test_a_publisher_that_was_replaced_by_its_own_successor_is_not_lost(client, show):
    deliver(client, report(show))

    deliver(client, report(show, "publisher.lost", after=1, data={"reason": "replaced"}))

    assert present(show)


def test_reports_in_any_order_end_in_the_right_state(client, ada):
    for order in itertools.permutations([("connected", 0), ("lost", 1), ("connected", 2)]):
        session = make_show(ada)
        for kind, after in order:
            assert deliver(client, report(session, f"publisher.{kind}", after=after)).status_code == 200
        assert present(session), order
    for order in itertools.permutations([("connected", 0), ("lost", 1)]):
        session = make_show(ada)
        for kind, after in order:
            deliver(client, report(session, f"publisher.{kind}", after=after))
        deliver(client, report(session, "publisher.lost", after=2))
        assert not present(session), order


@pytest.mark.django_db(transaction=True)
def test_a_report_replayed_by_fifty_at_the_same_moment_counts_once(show):
    body = report(show)

    results = at_once(50, lambda _: (answer := deliver(Client(), body)).status_code == 200 and answer.json()["applied"])

    assert sorted(map(str, results)) == ["False"] * 49 + ["True"]
    assert ProviderDelivery.objects.count() == 1
    assert present(show)
