"""The product's settings for tests: nothing outside a temporary folder is read or written.

The tests, and every server that they start, run on these. Databases and secrets from the developer's shell or `.env`
are overridden, so that no test ever touches real data. The variables that start with TEST_ choose options of a server
or of a second run of the tests.
"""

import atexit
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

if "TEST_DATA_DIR" not in os.environ:
    _folder = tempfile.mkdtemp(prefix="livestream-tests-")
    _owner = os.getpid()
    atexit.register(lambda: os.getpid() == _owner and shutil.rmtree(_folder, ignore_errors=True))
    os.environ["TEST_DATA_DIR"] = _folder

_data = os.environ["TEST_DATA_DIR"]
os.environ.update(
    DATA_DIR=_data,
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_data}/db.sqlite3",
    REDIS_URL=os.environ.get("TEST_REDIS_URL", ""),
    SECRET_KEY="a key for tests that guards nothing, long enough for anybody",
    DEBUG="0",
    DEMO="0",
    HTTPS="0",
    TRUSTED_ORIGINS="",
    ALLOWED_HOSTS="localhost,127.0.0.1,[::1],testserver",
    PUBLIC_URL="",
    EMAIL_URL="",
    EMAIL_FROM="Livestream <livestream@localhost>",
    PORT="8000",
    MEDIA_PROVIDER="builtin",
    MEDIA_SECRET="a secret that media node and web share in tests",
    MEDIA_NODE="local",
    **dict.fromkeys(
        (
            "AGORA_APP_ID",
            "AGORA_APP_CERTIFICATE",
            "LIVEKIT_URL",
            "LIVEKIT_API_KEY",
            "LIVEKIT_API_SECRET",
            "DAILY_API_KEY",
            "MUX_TOKEN_ID",
            "MUX_TOKEN_SECRET",
            "WHIP_PUBLISH_URL",
            "WHIP_WATCH_URL",
            "WHIP_TOKEN_SECRET",
            "WHIP_TOKEN",
            "MEDIA_FALLBACK",
        ),
        "",
    ),
    METRICS_TOKEN="",
    TURN_URLS="",
    TURN_SECRET="",
)
# Nothing listens on port 9: a test that needs a media node starts one and sets its address.
os.environ.setdefault("MEDIA_URL_INTERNAL", "http://127.0.0.1:9")

from livestream.settings import *  # noqa: E402, F403
from livestream.settings import DATABASES, SIMPLE_JWT  # noqa: E402

# Argon2 is slow on purpose; the people of the tests have no secrets.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SIMPLE_JWT = {**SIMPLE_JWT, "ACCESS_TOKEN_LIFETIME": timedelta(hours=2)}
REGISTRATIONS_PER_HOUR = 1_000_000
# Files are looked up on request, instead of all of them for every test client.
WHITENOISE_AUTOREFRESH = True
STATIC_ROOT = Path(_data) / "static"
STATIC_ROOT.mkdir(exist_ok=True)
REALTIME_BEAT_SECONDS = float(os.environ.get("TEST_BEAT_SECONDS", "5"))
SOCKET_TICKET_SECONDS = int(os.environ.get("TEST_TICKET_SECONDS", "30"))
PRESENCE_LEASE_SECONDS = int(os.environ.get("TEST_PRESENCE_LEASE_SECONDS", "30"))

# A race of the tests has more threads than a process ever has; here they wait for each other until it is over.
PATIENCE_SECONDS = 60
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["timeout"] = PATIENCE_SECONDS
    # A file, as in production: an in-memory database locks whole tables, and several threads would block each other.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_data) / "test.sqlite3")}
else:
    DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = PATIENCE_SECONDS
