"""Log filters that keep secrets out of the log and limit lines caused by anonymous clients."""

import logging
import re
import time

from django.core.exceptions import SuspiciousOperation

QUERY = re.compile(r"\?[^\s\"']*")
RARELY_SECONDS = 10.0


class NoQuery(logging.Filter):
    """Removes the query from addresses: uvicorn logs the full address of a socket, which may contain a ticket."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(QUERY.sub("", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


class NoPeerTraceback(logging.Filter):
    """Turns errors caused by the peer (invalid UTF-8, a foreign Host header) into warnings without traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError | SuspiciousOperation):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class RareWarnings(logging.Filter):
    """Passes one warning in ten seconds for each origin in the code, with the number omitted before."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, int], float] = {}
        self._left_out: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        origin, now = (record.name, record.lineno), time.monotonic()
        if now - self._written.get(origin, float("-inf")) < RARELY_SECONDS:
            self._left_out[origin] = self._left_out.get(origin, 0) + 1
            return False
        self._written[origin] = now
        if left_out := self._left_out.pop(origin, 0):
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more since the last line)", ()
        return True


class OnlyExceptions(logging.Filter):
    """Drops intended responses: a 501 or 503 is no fault of the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def quiet_server_logs() -> None:
    """Add the filters to the server's loggers, whatever the server configured before."""
    for name in ("uvicorn.error", "uvicorn.access"):
        server_logger = logging.getLogger(name)
        for kind in (NoQuery, NoPeerTraceback, RareWarnings):
            if not any(isinstance(existing, kind) for existing in server_logger.filters):
                server_logger.addFilter(kind())
