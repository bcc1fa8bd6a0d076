"""Webhook endpoints: verified as raw bytes, stored once, applied once. A repeated delivery is 200 and changes
nothing."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from livestream.errors import BodyTooBig, Denied, DomainError, Invalid, Missing
from livestream.metrics import WEBHOOKS
from livestream.rest import error_response
from providers.webhooks.base import WebhookForged, WebhookMalformed
from providers.webhooks.builtin import report_read
from providers.webhooks.registry import WEBHOOK_PARSERS
from streams.services.provider.media_events import media_event_apply
from streams.services.provider.node_reports import builtin_report_apply, slots_report_apply
from streams.services.provider.webhook_deliveries import delivery_accept


@csrf_exempt
@require_POST
def builtin_webhook(request: HttpRequest) -> HttpResponse:
    """Receive reports of the built-in media node."""
    return _accept(request, "builtin", _builtin_apply)


@csrf_exempt
@require_POST
def provider_webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """Receive events of the other media providers."""
    label = provider if provider in WEBHOOK_PARSERS else "unknown"
    return _accept(request, label, lambda request: _provider_apply(request, provider))


def _accept(request: HttpRequest, label: str, apply: Callable[[HttpRequest], bool]) -> HttpResponse:
    try:
        fresh = apply(request)
    except WebhookForged:
        return _refuse(label, Denied("webhook.bad_signature", "The signature is not valid."))
    except WebhookMalformed as error:
        return _refuse(label, Invalid("webhook.bad_shape", f"The body cannot be read: {error}."))
    except DomainError as error:
        return _refuse(label, error)
    WEBHOOKS.labels(label, "applied" if fresh else "repeated").inc()
    return JsonResponse({"applied": fresh})


def _refuse(label: str, error: DomainError) -> HttpResponse:
    WEBHOOKS.labels(label, error.code).inc()
    return error_response(error)


def _body(request: HttpRequest) -> bytes:
    """Read the raw body. Raises BodyTooBig."""
    body = request.read(settings.API_MAX_BODY_BYTES + 1)
    if len(body) > settings.API_MAX_BODY_BYTES:
        raise BodyTooBig()
    return body


def _builtin_apply(request: HttpRequest) -> bool:
    signature = request.headers.get("Livestream-Signature", "")
    report: dict[str, Any] = report_read(body=_body(request), signature=signature, now=time.time())
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


def _provider_apply(request: HttpRequest, provider: str) -> bool:
    parser = WEBHOOK_PARSERS.get(provider)
    if parser is None or provider not in settings.PROVIDERS or not parser.is_set_up():
        raise Missing("missing", "No provider of that name reports here.")
    body = _body(request)
    parser.verify(body=body, headers=request.headers, now=time.time())
    event = parser.read(body=body)
    if event is None:
        return False
    return delivery_accept(
        provider=provider,
        delivery_id=event.id,
        type=event.type,
        payload=event.payload(),
        apply=lambda: media_event_apply(provider=provider, event=event),
        now=timezone.now(),
    )
