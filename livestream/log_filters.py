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


def hide_queries() -> None:
    """Put the filter on the server's loggers, whatever the server made of them before."""
    for name in ("uvicorn.error", "uvicorn.access"):
        server_logger = logging.getLogger(name)
        if not any(isinstance(existing, NoQuery) for existing in server_logger.filters):
            server_logger.addFilter(NoQuery())
