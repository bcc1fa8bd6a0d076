"""Limits on log lines caused by anonymous clients."""

import io
import logging
import logging.config

import pytest
from django.conf import settings

from livestream import log_filters
from livestream.asgi import application
from tests.asgi import answer_of


@pytest.fixture
def lines(monkeypatch):
    """A function that returns the lines written by the product's own logging since its last call."""
    stream = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", stream)  # where new handlers write from now on
        logging.config.dictConfig(settings.LOGGING)

    def written():
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return text.splitlines()

    yield written
    logging.config.dictConfig(settings.LOGGING)


async def test_a_foreign_host_is_one_warning_in_ten_seconds_and_no_traceback(lines, monkeypatch):
    for path in ["/api/v1/sessions/", "/health"] * 5:
        status, _, _ = await answer_of(application, path, host="evil.example")
        assert status == 400
    written = lines()
    monkeypatch.setattr(log_filters, "RARELY_SECONDS", 0.0)
    await answer_of(application, "/health", host="evil.example")
    later = lines()

    assert len(written) == 1
    assert " WARNING django.security.DisallowedHost Invalid HTTP_HOST header: 'evil.example'" in written[0]
    assert len(later) == 1
    assert later[0].endswith("(and 9 more since the last line)")


def test_an_answer_that_was_meant_is_no_line_and_a_fault_has_its_traceback(lines):
    logger = logging.getLogger("django.request")
    logger.error("Not Implemented: %s", "/whip/x")
    assert lines() == []
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logger.exception("Internal Server Error: %s", "/")

    assert "ZeroDivisionError" in lines()


def test_errors_are_never_left_out():
    rare = log_filters.RareWarnings()
    records = [logging.LogRecord("uvicorn.error", logging.ERROR, "", 1, "x", (), None) for _ in range(3)]

    assert [rare.filter(record) for record in records] == [True] * 3


def test_places_in_the_code_are_counted_apart():
    rare = log_filters.RareWarnings()
    records = [logging.LogRecord("uvicorn.error", logging.WARNING, "", line, "x", (), None) for line in (1, 2, 1, 2)]

    assert [rare.filter(record) for record in records] == [True, True, False, False]
