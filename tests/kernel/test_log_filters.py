"""What strangers may write into the log."""

import logging
import logging.config

import pytest
from django.conf import settings

from livestream import log_filters
from tests.asgi import answer_of


@pytest.fixture
def lines(capfd):
    """The product's own logging, on a standard error of its own; what was written to it."""
    logging.config.dictConfig(settings.LOGGING)
    yield lambda: capfd.readouterr().err.splitlines()


def refusals(written):
    """The warnings about this; handlers that other tests left on the root logger write lines of their own."""
    return [line for line in written if " WARNING django.security.DisallowedHost " in line]


@pytest.mark.alone  # other tests of the suite configure logging for their process
async def test_a_foreign_host_is_one_warning_in_ten_seconds_and_no_traceback(lines, monkeypatch):
    from livestream.asgi import application

    for path in ["/api/v1/sessions/", "/health"] * 5:
        status, _, _ = await answer_of(application, path, host="evil.example")
        assert status == 400
    written = refusals(lines())
    monkeypatch.setattr(log_filters, "RARELY_SECONDS", 0.0)
    await answer_of(application, "/health", host="evil.example")
    *_, later = refusals(lines())

    assert len(written) == 1
    assert " WARNING django.security.DisallowedHost Invalid HTTP_HOST header: 'evil.example'" in written[0]
    assert later.endswith("(and 9 more since the last line)")


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
