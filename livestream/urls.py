"""All addresses of the product. docs/protocol.md describes those for clients."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView

from livestream.health import health, ready
from livestream.metrics import metrics
from livestream.schema import SchemaView
from streams.api.providers import ProvidersView
from streams.api.views import not_found
from streams.gateways.hls import hls_gateway
from streams.gateways.media_entrance import media_proxy
from streams.webhooks import builtin_webhook, provider_webhook
from tokens.agora_api import AgoraTokenView
from tokens.api import media_token

# Only these addresses reach the media node's HTTP server, which also has its control API and metrics.
MEDIA_ADDRESS = (
    r"^(?P<protocol>whip|whep)/(?P<session>[0-9A-Za-z-]{1,64})(?:/(?P<resource>[0-9A-Za-z_-]{1,64}(?:/layers)?)|/)?$"
)

api: list[URLPattern | URLResolver] = [
    path("auth/", include("accounts.api_urls")),
    path("sessions/", include("streams.api.urls")),
    path("sessions/", include("chat.urls")),
    path("providers/", ProvidersView.as_view(), name="providers"),
    re_path(r"^(?P<path>.*)$", not_found),
]

# Coroutine views served by `livestream.http.async_application`. They wait for other servers, must respond when all
# threads are busy, or are requested by a whole audience in the same instant.
async_routes = [
    path("api/v1/sessions/<uuid:session_id>/token/", media_token, name="session-token"),
    re_path(MEDIA_ADDRESS, media_proxy, name="media"),
    path("hls/<uuid:session>/<slug:name>.m3u8", hls_gateway, name="hls"),
    path("health", health, name="health"),
]

urlpatterns = [
    *async_routes,
    path("api/v1/", include(api)),
    path("live/", include("livestream.compat_routes")),
    path("api/agora/token", AgoraTokenView.as_view(), name="agora-token"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("webhooks/builtin/", builtin_webhook, name="webhook-builtin"),
    path("webhooks/<slug:provider>/", provider_webhook, name="webhook"),
    path("health/ready", ready, name="ready"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.page_urls")),
    path("", include("streams.page_urls")),
]

handler400 = "livestream.http.error_pages.bad_request"
handler403 = "livestream.http.error_pages.permission_denied"
handler404 = "livestream.http.error_pages.page_not_found"
handler500 = "livestream.http.error_pages.server_error"
