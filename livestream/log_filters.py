"""What must not reach a log line."""

import logging
import re

QUERY = re.compile(r"\?[^\s\"']*")


class NoQuery(logging.Filter):
    """Takes the query off addresses: uvicorn logs a socket's whole address, and a ticket may stand in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(QUERY.sub("", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


class NoPeerTraceback(logging.Filter):
    """Takes the traceback off what a peer did wrong: uvicorn writes one for every text that is no UTF-8."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def quiet_server_logs() -> None:
    """Put the filters on the server's loggers, whatever the server made of them before."""
    for name in ("uvicorn.error", "uvicorn.access"):
        server_logger = logging.getLogger(name)
        for kind in (NoQuery, NoPeerTraceback):
            if not any(isinstance(existing, kind) for existing in server_logger.filters):
                server_logger.addFilter(kind())
