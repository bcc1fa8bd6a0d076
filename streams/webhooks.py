"""Webhooks in: the raw body is verified before anything reads it."""

import json
import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from livestream.api import error_response
from livestream.errors import BodyTooBig, Denied, DomainError, Invalid
from livestream.metrics import WEBHOOKS
from streams.media.reports import ReportInvalid, report_verify
from streams.services.deliveries import builtin_report_apply, delivery_accept, slots_report_apply


def read_bounded(request: HttpRequest, limit: int) -> bytes:
    """The body, refused while it is read when it is over the limit."""
    body = request.read(limit + 1)
    if len(body) > limit:
        raise BodyTooBig()
    return body


@csrf_exempt
@require_POST
def builtin(request: HttpRequest) -> HttpResponse:
    """Reports of the built-in media node."""
    try:
        body = read_bounded(request, settings.API_MAX_BODY_BYTES)
        _verify(body, request.headers.get("Livestream-Signature", ""))
        report = _parse(body)
        fresh = _apply(report)
    except DomainError as error:
        WEBHOOKS.labels("builtin", error.code).inc()
        return error_response(error)
    WEBHOOKS.labels("builtin", "applied" if fresh else "repeated").inc()
    return JsonResponse({"applied": fresh})


def _apply(report: dict[str, Any]) -> bool:
    if report.get("type") == "slots.changed":
        return slots_report_apply(report=report)
    return delivery_accept(
        provider="builtin",
        delivery_id=report["id"][:100],
        type=str(report.get("type", ""))[:60],
        payload=report,
        apply=lambda: builtin_report_apply(report=report),
        now=timezone.now(),
    )


def _verify(body: bytes, header: str) -> None:
    try:
        report_verify(body=body, header=header, secret=settings.MEDIA_SECRET, now=time.time())
    except ReportInvalid:
        raise Denied("webhook.bad_signature", "The signature is not valid.") from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("webhook.bad_shape", "The body is not JSON.") from None
    if not isinstance(report, dict) or not isinstance(report.get("id"), str):
        raise Invalid("webhook.bad_shape", "The body is an object with an id.")
    return report
