"""The product's metrics in Prometheus format."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

SOCKETS = Gauge("livestream_sockets", "Room sockets open in this process.")
ROOMS = Gauge("livestream_rooms", "Rooms with sockets in this process.")
VIEWERS = Gauge("livestream_viewers", "Different people in each room that has sockets in this process, added up.")
VIEWER_CONNECTIONS = Gauge("livestream_viewer_connections", "The connections that those people have.")
SOCKETS_REFUSED = Counter(
    "livestream_sockets_refused_total", "Sockets refused before they were open, by reason.", ["why"]
)
DOCUMENTS = Counter("livestream_documents_total", "Documents delivered to rooms of this process.")
FRAMES = Counter("livestream_frames_total", "Frames written to sockets.")
GAP_FILLS = Counter("livestream_gap_fills_total", "Times that events were read again because the layer lost some.")
SLOW_CLOSED = Counter("livestream_slow_sockets_closed_total", "Sockets closed because they did not keep up.")
COMMANDS = Counter("livestream_commands_total", "Socket commands by operation and outcome.", ["op", "outcome"])
LAYER_FAILURES = Counter("livestream_layer_failures_total", "Channel layer trouble by kind.", ["kind"])
TRANSITIONS = Counter("livestream_session_transitions_total", "Session state changes.", ["to", "reason"])
COMMAND_SECONDS = Histogram("livestream_command_seconds", "Time to carry out a socket command.", ["op"])
CHAT_BATCH = Histogram(
    "livestream_chat_batch", "Messages written in one transaction.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
CHAT_WAITING = Gauge("livestream_chat_waiting", "Messages waiting for the writer.")
CHAT_HELD = Gauge("livestream_chat_held_rooms", "Rooms that wait by themselves, since something else holds them.")
LOOP_LAG = Histogram(
    "livestream_loop_lag_seconds",
    "Event loop lag in seconds.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
TASKS = Gauge("livestream_tasks", "Tasks of the event loop.")
WEBHOOKS = Counter("livestream_webhooks_total", "Webhooks received by provider and outcome.", ["provider", "outcome"])
PROVIDER_CALLS = Counter("livestream_provider_calls_total", "Calls to media providers.", ["provider", "outcome"])
PROVIDER_SECONDS = Histogram("livestream_provider_call_seconds", "Time that a media provider took.", ["provider"])
OUTBOX = Counter("livestream_outbox_total", "Calls of the outbox by kind and outcome.", ["kind", "outcome"])
PROVIDER_CIRCUIT = Gauge("livestream_provider_circuit", "0 closed, 1 half open, 2 open.", ["provider"])
TOKENS = Counter("livestream_media_tokens_total", "Media tokens by provider and outcome.", ["provider", "outcome"])


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of this process to loopback clients, or with `Authorization: Bearer METRICS_TOKEN`."""
    token = settings.METRICS_TOKEN
    presented = request.headers.get("Authorization", "")
    by_token = bool(token) and constant_time_compare(presented, f"Bearer {token}")
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded"))
    local = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not forwarded
    if not (by_token or local):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
