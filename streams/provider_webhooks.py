"""Webhooks of the media providers beside the built-in node: verified as raw bytes, stored once, applied once."""

import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from livestream.api import error_response
from livestream.errors import Denied, DomainError, Invalid, Missing
from livestream.metrics import WEBHOOKS
from streams.providers.inbox import WebhookForged, WebhookMalformed
from streams.providers.inboxes import INBOXES
from streams.services.deliveries import delivery_accept
from streams.services.media_events import media_event_apply
from streams.webhooks import read_bounded


@csrf_exempt
@require_POST
def provider_webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """What a provider tells. Repeating it is 200 and changes nothing."""
    known = provider if provider in INBOXES else "unknown"
    try:
        fresh = _take(request, provider)
    except DomainError as error:
        WEBHOOKS.labels(known, error.code).inc()
        return error_response(error)
    WEBHOOKS.labels(known, "applied" if fresh else "repeated").inc()
    return JsonResponse({"applied": fresh})


def _take(request: HttpRequest, provider: str) -> bool:
    inbox = INBOXES.get(provider)
    if inbox is None or provider not in settings.PROVIDERS or not inbox.is_set_up():
        raise Missing("missing", "No provider of that name reports here.")
    body = read_bounded(request, settings.API_MAX_BODY_BYTES)
    try:
        inbox.verify(body=body, headers=request.headers, now=time.time())
        event = inbox.read(body=body)
    except WebhookForged:
        raise Denied("webhook.bad_signature", "The signature is not valid.") from None
    except WebhookMalformed:
        raise Invalid("webhook.bad_shape", "The body is not what it should be.") from None
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
