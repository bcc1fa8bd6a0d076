"""Mail to people, sent through the outbox.

A task names the template and the person. The text, with its signed link, is made at the moment of sending, so no link
is stored and repeated requests are one mail. Tasks are left to the janitor's sweep: a slow mail server must not delay a
request, and how long a request takes must not tell whether somebody has an account.
"""

import smtplib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from livestream.errors import ProviderRejected, ProviderUnreachable
from livestream.outbox import outbox_handler, outbox_put
from livestream.ratelimit import Limit, waits

KIND = "mail"
TARGET = "mail"
MAILS_PER_HOUR = 3
MAILS_PER_DAY = 10

Mail = tuple[str, dict[str, Any]]
Writer = Callable[[dict[str, Any]], Mail | None]

_writers: dict[str, Writer] = {}


def mail_writer(template: str) -> Callable[[Writer], Writer]:
    """Register the function that turns a payload into an address and the values of `mail/{template}.txt`. It returns
    None if there is nothing to send any more."""

    def register(writer: Writer) -> Writer:
        _writers[template] = writer
        return writer

    return register


def mail_put(*, template: str, key: str, payload: dict[str, Any], now: datetime) -> None:
    """Schedule a mail for after the running transaction's commit. One with the same key replaces a waiting one."""
    outbox_put(kind=KIND, key=f"{template}:{key}", target=TARGET, payload={**payload, "template": template}, now=now)


def link(path: str) -> str:
    """Return the absolute address of a path, at the configured public address. The request's Host header is not used:
    whoever sends it could lead people to another site."""
    return f"{settings.LINK_ORIGIN}{path}"


@outbox_handler(KIND)
def _send(payload: dict[str, Any]) -> None:
    template = str(payload["template"])
    written = _writers[template](payload)
    if written is None or not _allowed(written[0]):
        return
    address, values = written
    subject, _, body = render_to_string(f"mail/{template}.txt", values).partition("\n")
    try:
        EmailMessage(subject=subject.strip(), body=body.lstrip("\n"), to=[address]).send()
    except smtplib.SMTPRecipientsRefused as error:
        if all(code < 500 for code, _ in error.recipients.values()):
            raise ProviderUnreachable(TARGET, "the recipient is refused for now") from None
    except smtplib.SMTPAuthenticationError:
        raise ProviderRejected(TARGET, "the mail server refuses our credentials") from None
    except (smtplib.SMTPException, OSError) as error:
        raise ProviderUnreachable(TARGET, type(error).__name__) from None


def _allowed(address: str) -> bool:
    """Count one more mail to this address, from all accounts together. Over the limit it is dropped: its sender must
    not learn whether it was sent."""
    hour = Limit("mail-hour", address, MAILS_PER_HOUR, 3600)
    return not any(waits([hour, Limit("mail-day", address, MAILS_PER_DAY, 24 * 3600)]))
