"""Creates a live show at Mux and its viewers' tokens in the database; prints them as one line of JSON."""

import json
import sys

import django

django.setup()

from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from livestream.actors import actor_of  # noqa: E402
from providers.interface import MediaRole  # noqa: E402
from streams.models import ProviderRoom  # noqa: E402
from streams.services.show.sessions import session_create, session_start  # noqa: E402
from tokens.services import media_token_issue  # noqa: E402

EXTERNAL = {"live_stream_id": "ls-1", "playback_id": "pb-1", "policy": "signed"}

host = User.objects.create_user("host")
session = session_create(actor=actor_of(host), title="A show", provider="mux")
now = timezone.now()
ProviderRoom.objects.create(
    provider="mux", channel_id=session.channel_id, session_id=session.pk, details=EXTERNAL, claimed_at=now, ready_at=now
)
session_start(session_id=session.pk, actor=actor_of(host))
viewers = [User.objects.create_user(f"viewer-{one}") for one in range(int(sys.argv[1]))]
tokens = [
    media_token_issue(session_id=session.pk, actor=actor_of(viewer), role=MediaRole.SUBSCRIBER).token
    for viewer in viewers
]
print(json.dumps({"show": str(session.pk), "tokens": tokens}))
