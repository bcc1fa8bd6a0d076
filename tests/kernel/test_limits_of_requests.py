"""Limits on every request, from any client."""

import http.client
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.waits


def connection(live):
    parts = urlsplit(live.url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)


@pytest.mark.parametrize("path", ["/webhooks/builtin/", "/whip/x", "/api/v1/auth/token/", "/accounts/login/"])
def test_a_body_that_says_it_is_too_big_is_refused_unread(live, path):
    line = connection(live)
    line.putrequest("POST", path)
    line.putheader("Content-Length", str(10**9))
    line.endheaders()

    answer = line.getresponse()

    assert (answer.status, b"too_big" in answer.read()) == (413, True)


def test_a_body_that_turns_out_too_big_is_refused_on_the_way(live):
    line = connection(live)
    line.putrequest("POST", "/api/v1/auth/token/")
    line.putheader("Transfer-Encoding", "chunked")
    line.endheaders()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    try:
        while sent < 64 * len(chunk):
            line.send(chunk)
            sent += len(chunk)
    except OSError:
        pass  # the server has stopped reading

    assert line.getresponse().status == 413
    assert sent <= 64 * len(chunk)


@pytest.mark.parametrize(
    "path", ["/whip/%2e%2e/metrics", "/whip/..%2fmetrics", "/whip/../metrics", "/whep/x%3fy/z", "/whip/a/b/c"]
)
def test_nothing_but_whip_and_whep_addresses_reaches_the_media_node(live, path):
    line = connection(live)
    line.request("GET", path)

    answer = line.getresponse()

    assert (answer.status, b"missing" in answer.read()) == (404, True)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x"])
def test_a_cursor_out_of_time_is_missing(live, moment):
    import base64
    from urllib.parse import quote

    cursor = base64.b64encode(f"p={quote(moment)}".encode()).decode()
    line = connection(live)
    line.request("GET", f"/api/v1/sessions/?cursor={quote(cursor)}")

    assert line.getresponse().status == 404


def test_a_head_of_too_many_lines_is_refused_by_the_running_product(live):
    line = connection(live)
    line.putrequest("GET", "/health")
    for number in range(101):
        line.putheader(f"x-{number}", "y")
    line.endheaders()

    assert line.getresponse().status == 431
