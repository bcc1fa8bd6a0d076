"""What must not reach a log line, and how many lines a stranger may cause."""

import logging
import re
import time

from django.core.exceptions import SuspiciousOperation

QUERY = re.compile(r"\?[^\s\"']*")
RARELY_SECONDS = 10.0


class NoQuery(logging.Filter):
    """Takes the query off addresses: uvicorn logs a socket's whole address, and a ticket may stand in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(QUERY.sub("", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


class NoPeerTraceback(logging.Filter):
    """Makes a warning without traceback of what a peer did wrong: text that is no UTF-8, a Host that is not ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError | SuspiciousOperation):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class RareWarnings(logging.Filter):
    """Lets one warning in ten seconds of each place in the code through. It says how many were left out before."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, int], float] = {}
        self._left_out: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        place, now = (record.name, record.lineno), time.monotonic()
        if now - self._written.get(place, float("-inf")) < RARELY_SECONDS:
            self._left_out[place] = self._left_out.get(place, 0) + 1
            return False
        self._written[place] = now
        if left_out := self._left_out.pop(place, 0):
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more since the last line)", ()
        return True


class OnlyExceptions(logging.Filter):
    """Passes over answers that were meant: a 501 or 503 is no fault of the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def quiet_server_logs() -> None:
    """Put the filters on the server's loggers, whatever the server made of them before."""
    for name in ("uvicorn.error", "uvicorn.access"):
        server_logger = logging.getLogger(name)
        for kind in (NoQuery, NoPeerTraceback, RareWarnings):
            if not any(isinstance(existing, kind) for existing in server_logger.filters):
                server_logger.addFilter(kind())
