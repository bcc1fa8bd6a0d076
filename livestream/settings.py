"""All settings of the product, read from the environment (see .env.example).

Each variable may also come from a file: NAME_FILE holds the path. Without configuration, the product runs on one
machine: SQLite, an in-process channel layer and the built-in media node.
"""

import hashlib
import hmac
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF

from livestream.secrets_file import persistent_secret

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))
DATA_DIR.mkdir(parents=True, exist_ok=True)

SECRET_KEY = env.str("SECRET_KEY", default="") or persistent_secret(DATA_DIR / "secret_key")


def derived_secret(purpose: str) -> str:
    """Return a separate secret for one purpose, the same in all processes that share SECRET_KEY."""
    return hmac.new(SECRET_KEY.encode(), f"livestream:{purpose}".encode(), hashlib.sha256).hexdigest()


# ---- Web ---------------------------------------------------------------------------------------------------------

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
# The media node and health checks use loopback, whatever the public host names are.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[]), *LOOPBACK_HOSTS]
TRUSTED_ORIGINS = env.list("TRUSTED_ORIGINS", default=[])
CSRF_TRUSTED_ORIGINS = TRUSTED_ORIGINS
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
HTTPS = env.bool("HTTPS", default=False)

INSTALLED_APPS = [
    "daphne",
    "livestream.admin_site.LivestreamAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "livestream",
    "accounts",
    "streams",
    "chat",
    "tokens",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "livestream.http.headers.PermissionsPolicyMiddleware",
    "accounts.visitors.VisitorCookieMiddleware",
    "accounts.known_browsers.KnownBrowserMiddleware",
]

ROOT_URLCONF = "livestream.urls"
ASGI_APPLICATION = "livestream.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "livestream.http.headers.page_context",
            ],
        },
    },
]

# ---- Database ----------------------------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")
DATABASES: dict[str, dict[str, Any]] = {"default": environ.Env.db_url_config(DATABASE_URL)}

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Reopening the file costs more than most requests, so a thread keeps its connection.
    DATABASES["default"]["CONN_MAX_AGE"] = None
    # IMMEDIATE: a writer waits for the lock at BEGIN instead of failing when a read turns into a write.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    statement_timeout = env.int("DATABASE_STATEMENT_TIMEOUT_SECONDS", default=5)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        "pool": {
            "min_size": 1,
            "max_size": env.int("DATABASE_POOL_SIZE", default=20),
            "timeout": 3,
            "max_lifetime": 1800,
        },
        "options": (
            f"-c statement_timeout={statement_timeout}s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
        ),
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- Realtime ----------------------------------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="")

if REDIS_URL:
    # socket_timeout above redis-py 8's five-second default, which ends an idle layer's receive().
    CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [
                    {
                        "address": REDIS_URL,
                        "socket_timeout": 15,
                        "socket_connect_timeout": 2,
                        "health_check_interval": 10,
                    }
                ],
                "prefix": "livestream",
            },
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 10_000}}}

# Tickets, rate limits and other data that may be lost. A single process needs no server for them.
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # Nothing in the cache is worth a longer wait.
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# How long a room collects events before it writes them to its sockets as one frame. The first after a quiet tick is
# written at once.
REALTIME_TICK_SECONDS = 0.01
# Write frames straight to the transports of a known server. If off, each frame is an ASGI call.
REALTIME_FAST_PATH = env.bool("REALTIME_FAST_PATH", default=True)
REALTIME_MAX_FRAME_BYTES = 16 * 1024
REALTIME_BEAT_SECONDS = 5.0
REALTIME_CLOSE_AFTER_END_SECONDS = env.float("CLOSE_AFTER_END_SECONDS", default=60.0)
# Above this number of viewers, read positions in the chat are not stored.
READ_MARKERS_MAX_AUDIENCE = env.int("READ_MARKERS_MAX_AUDIENCE", default=500)
# Limits of open sockets: per person, and per address (IPv6: a /64) for anonymous clients. 0 is unlimited.
SOCKETS_PER_PERSON = env.int("SOCKETS_PER_PERSON", default=20)
SOCKETS_PER_ADDRESS = env.int("SOCKETS_PER_ADDRESS", default=200)
# The most seconds that a stopping process takes until it has closed its last socket.
DRAIN_SECONDS = env.float("DRAIN_SECONDS", default=3.0)
# A socket that stops refreshing its lease, because its process died, is no longer counted after this.
PRESENCE_LEASE_SECONDS = env.int("PRESENCE_LEASE_SECONDS", default=30)

# ---- Accounts ----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTHENTICATION_BACKENDS = ["accounts.backends.LimitedModelBackend"]
PASSWORD_HASHERS = [
    "accounts.hashers.BoundedArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_ENGINE = "django.contrib.sessions.backends.db"  # accounts.async_authentication reads its table
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
PASSWORD_RESET_TIMEOUT = 3600  # the link of a forgotten password
SOCKET_TICKET_SECONDS = 30
# Mail: written to the log of the web process, until EMAIL_URL names a server.
EMAIL_CONFIG = environ.Env.email_url_config(env.str("EMAIL_URL", default="") or "consolemail://")
EMAIL_BACKEND = EMAIL_CONFIG["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL_CONFIG.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = EMAIL_CONFIG.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = EMAIL_CONFIG.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = EMAIL_CONFIG.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = EMAIL_CONFIG.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = EMAIL_CONFIG.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("EMAIL_FROM", default="Livestream <livestream@localhost>")
# Where links in mails lead. Never the Host header of a request.
LINK_ORIGIN = PUBLIC_URL or f"http{'s' if HTTPS else ''}://localhost:{env.int('PORT', default=8000)}"
# New accounts per address. The demo creates many people from one machine.
REGISTRATIONS_PER_HOUR = env.int("REGISTRATIONS_PER_HOUR", default=1000 if DEMO else 30)

# ---- API ---------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.bearer.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["livestream.rest.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "livestream.rest.CreatedCursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "livestream.rest.exception_handler",
    "PAGE_SIZE": 30,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "SIGNING_KEY": derived_secret("jwt"),
    "CHECK_REVOKE_TOKEN": True,
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Livestream",
    "DESCRIPTION": "Live shows that sell: sessions, chat, media tokens. The room socket is in docs/protocol.md.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "streams.models.Role",
        "MediaRoleEnum": ["publisher", "subscriber"],
        "MutedByEnum": "streams.models.MutedBy",
        "ParticipantStatusEnum": "streams.models.ParticipantStatus",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "livestream.schema.errors_everywhere",
    ],
}
API_MAX_BODY_BYTES = 256 * 1024
REQUEST_MAX_BODY_BYTES = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# ---- Media -------------------------------------------------------------------------------------------------------

MEDIA_PROVIDER = env.str("MEDIA_PROVIDER", default="builtin")
# A provider is enabled as soon as one of its settings is set. Incomplete settings prevent startup.
PROVIDERS = {"builtin": "providers.builtin.BuiltinProvider"}
# Seconds until a media token expires, except an encoder's key.
MEDIA_TOKEN_SECONDS = 600
# Providers that replace one that does not respond, in this order. Empty: no fallback.
MEDIA_FALLBACK = env.list("MEDIA_FALLBACK", default=[])

AGORA_APP_ID = env.str("AGORA_APP_ID", default="")
AGORA_APP_CERTIFICATE = env.str("AGORA_APP_CERTIFICATE", default="")
AGORA_TOKEN_VERSION = env.str("AGORA_TOKEN_VERSION", default="007")
AGORA_CUSTOMER_ID = env.str("AGORA_CUSTOMER_ID", default="")
AGORA_CUSTOMER_SECRET = env.str("AGORA_CUSTOMER_SECRET", default="")
AGORA_COHOST_AUTHENTICATION = env.bool("AGORA_COHOST_AUTHENTICATION", default=False)
AGORA_WEBHOOK_SECRET = env.list("AGORA_WEBHOOK_SECRET", default=[])
AGORA_API_URL = env.str("AGORA_API_URL", default="https://api.agora.io").rstrip("/")
if AGORA_APP_ID or AGORA_APP_CERTIFICATE:
    PROVIDERS["agora"] = "providers.agora.AgoraProvider"

LIVEKIT_URL = env.str("LIVEKIT_URL", default="")
LIVEKIT_API_KEY = env.str("LIVEKIT_API_KEY", default="")
LIVEKIT_API_SECRET = env.str("LIVEKIT_API_SECRET", default="")
if LIVEKIT_URL or LIVEKIT_API_KEY or LIVEKIT_API_SECRET:
    PROVIDERS["livekit"] = "providers.livekit.LiveKitProvider"

DAILY_API_KEY = env.str("DAILY_API_KEY", default="")
DAILY_WEBHOOK_SECRET = env.list("DAILY_WEBHOOK_SECRET", default=[])
DAILY_API_URL = env.str("DAILY_API_URL", default="https://api.daily.co/v1").rstrip("/")
if DAILY_API_KEY:
    PROVIDERS["daily"] = "providers.daily.DailyProvider"

MUX_TOKEN_ID = env.str("MUX_TOKEN_ID", default="")
MUX_TOKEN_SECRET = env.str("MUX_TOKEN_SECRET", default="")
MUX_WEBHOOK_SIGNING_SECRET = env.list("MUX_WEBHOOK_SIGNING_SECRET", default=[])
MUX_SIGNING_KEY_ID = env.str("MUX_SIGNING_KEY_ID", default="")
MUX_SIGNING_PRIVATE_KEY = env.str("MUX_SIGNING_PRIVATE_KEY", default="")
MUX_API_URL = env.str("MUX_API_URL", default="https://api.mux.com").rstrip("/")
MUX_INGEST_URL = env.str("MUX_INGEST_URL", default="rtmps://global-live.mux.com:443/app")
MUX_PLAYBACK_URL = env.str("MUX_PLAYBACK_URL", default="https://stream.mux.com").rstrip("/")
if MUX_TOKEN_ID or MUX_TOKEN_SECRET:
    PROVIDERS["mux"] = "providers.mux.MuxProvider"

WHIP_PUBLISH_URL = env.str("WHIP_PUBLISH_URL", default="")
WHIP_WATCH_URL = env.str("WHIP_WATCH_URL", default="")
WHIP_TOKEN_SECRET = env.str("WHIP_TOKEN_SECRET", default="")
WHIP_TOKEN = env.str("WHIP_TOKEN", default="")
if WHIP_PUBLISH_URL or WHIP_WATCH_URL or WHIP_TOKEN_SECRET or WHIP_TOKEN:
    PROVIDERS["whip"] = "providers.whip.WhipProvider"

MEDIA_SECRET = env.str("MEDIA_SECRET", default="") or derived_secret("media")
MEDIA_NODE = env.str("MEDIA_NODE", default="local")
MEDIA_UDP_PORT = env.int("MEDIA_UDP_PORT", default=8189)
MEDIA_HTTP_PORT = env.int("MEDIA_HTTP_PORT", default=8190)
MEDIA_HTTP_HOST = env.str("MEDIA_HTTP_HOST", default="127.0.0.1")
MEDIA_TRUSTED_PROXIES = env.list("MEDIA_TRUSTED_PROXIES", default=[])
MEDIA_PUBLIC_ADDRESSES = env.list("MEDIA_PUBLIC_ADDRESSES", default=[])
MEDIA_URL_INTERNAL = env.str("MEDIA_URL_INTERNAL", default=f"http://127.0.0.1:{MEDIA_HTTP_PORT}").rstrip("/")
MEDIA_WEBHOOK_URL = env.str(
    "MEDIA_WEBHOOK_URL", default=f"http://127.0.0.1:{env.int('PORT', default=8000)}/webhooks/builtin/"
)
MEDIA_WEBHOOK_CERTIFICATE = env.str("MEDIA_WEBHOOK_CERTIFICATE", default="")
MEDIA_MAX_PEERS = env.int("MEDIA_MAX_PEERS", default=1000)
MEDIA_LAST_N = env.int("MEDIA_LAST_N", default=9)
MEDIA_MAX_BITRATE = env.int("MEDIA_MAX_BITRATE", default=2_500_000)
TURN_URLS = env.list("TURN_URLS", default=[])
TURN_SECRET = env.str("TURN_SECRET", default="")

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# ---- Sessions ----------------------------------------------------------------------------------------------------

# A session that was never started ends by itself, and so does one whose host never sent video.
SESSION_START_TIMEOUT_SECONDS = env.int("SESSION_START_TIMEOUT_SECONDS", default=24 * 3600)
HOST_ARRIVAL_SECONDS = env.int("HOST_ARRIVAL_SECONDS", default=600)
PAUSE_TIMEOUT_SECONDS = env.int("PAUSE_TIMEOUT_SECONDS", default=4 * 3600)
GUEST_REQUEST_SECONDS = env.int("GUEST_REQUEST_SECONDS", default=300)
GUEST_COOLDOWN_SECONDS = env.int("GUEST_COOLDOWN_SECONDS", default=60)
GUEST_ARRIVAL_SECONDS = env.int("GUEST_ARRIVAL_SECONDS", default=120)
GUEST_GRACE_SECONDS = env.int("GUEST_GRACE_SECONDS", default=60)
JANITOR_SECONDS = env.float("JANITOR_SECONDS", default=2.0)
POSTER_MAX_BYTES = 512 * 1024

# ---- Files, language, security -----------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# The browser SDKs of media providers, installed by `manage.py install_sdks`. Empty by default.
SDK_DIR = Path(env.str("SDK_DIR", default=str(DATA_DIR / "sdk")))
STATICFILES_DIRS: list[Any] = [BASE_DIR / "static", *([("sdk", SDK_DIR)] if SDK_DIR.is_dir() else [])]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "livestream.http.typeface.TypefaceFinder",
]
MEDIA_ROOT = DATA_DIR / "files"
MEDIA_URL = "/files/"
# A production image runs collectstatic; a checkout serves straight from the source folders. WhiteNoise streams small
# files from sync iterators; Django reads them completely and warns each time.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
if not STATIC_ROOT.exists():
    warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
COLLECTED = (STATIC_ROOT / "staticfiles.json").exists() and not DEMO and not DEBUG
WHITENOISE_USE_FINDERS = not COLLECTED
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "livestream.http.static_storage.ModuleManifestStorage"
        if COLLECTED or "collectstatic" in sys.argv
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
# Local clients use plain HTTP. Their requests are signed, or reveal nothing.
SECURE_REDIRECT_EXEMPT = [r"^webhooks/", r"^health", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_SUBDOMAINS", default=False)
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {
        name: {"()": f"livestream.log_filters.{name}"} for name in ("NoPeerTraceback", "RareWarnings", "OnlyExceptions")
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "anonymous": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["NoPeerTraceback", "RareWarnings"],
        },
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.request": {"level": "ERROR", "filters": ["OnlyExceptions"]},
        "django.security": {"handlers": ["anonymous"], "propagate": False},
        "daphne": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
    },
}
