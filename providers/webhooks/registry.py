"""The webhook parsers, by provider."""

from providers.webhooks.agora import AgoraWebhooks
from providers.webhooks.base import WebhookParser
from providers.webhooks.daily import DailyWebhooks
from providers.webhooks.livekit import LiveKitWebhooks
from providers.webhooks.mux import MuxWebhooks

WEBHOOK_PARSERS: dict[str, WebhookParser] = {
    "livekit": LiveKitWebhooks(),
    "agora": AgoraWebhooks(),
    "daily": DailyWebhooks(),
    "mux": MuxWebhooks(),
}
