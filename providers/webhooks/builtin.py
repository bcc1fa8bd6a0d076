"""Reports of the built-in media node, in the form of webhooks."""

import json
from typing import Any

from django.conf import settings

from media_node.reports import ReportInvalid, report_verify
from providers.webhooks.base import WebhookForged, WebhookMalformed


def report_read(*, body: bytes, signature: str, now: float) -> dict[str, Any]:
    """Return the verified report. `now` is in Unix seconds. Raises WebhookForged, WebhookMalformed."""
    try:
        report_verify(body=body, header=signature, secret=settings.MEDIA_SECRET, now=now)
    except ReportInvalid:
        raise WebhookForged("signature") from None
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookMalformed("no JSON") from None
    if not isinstance(report, dict) or not isinstance(report.get("id"), str):
        raise WebhookMalformed("no object with an id")
    return report
