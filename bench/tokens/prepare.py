"""Creates shows and people in the database, and measures one thread; prints one line of JSON."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.bearer import bearer_pair  # noqa: E402
from accounts.models import User  # noqa: E402
from livestream.actors import actor_of  # noqa: E402
from providers.agora import AgoraProvider  # noqa: E402
from providers.builtin import BuiltinProvider  # noqa: E402
from providers.interface import MediaRole, PersonRef, RoomRef  # noqa: E402
from providers.livekit import LiveKitProvider  # noqa: E402
from streams.services.show.sessions import session_create, session_start  # noqa: E402
from tokens.services import media_token_issue  # noqa: E402

SECONDS = 3.0
SHOWS_PER_HOST = 25
HEX_32 = "0123456789abcdef" * 2


def rate(make: Callable[[int], Any]) -> int:
    """Return the number of calls per second of processor time."""
    started, count = time.process_time(), 0
    while time.process_time() - started < SECONDS:
        make(count)
        count += 1
    return round(count / (time.process_time() - started))


def live_shows(number: int) -> list[Any]:
    """Return ids of live shows."""
    hosts = [User.objects.create_user(f"host-{one}") for one in range(-(-number // SHOWS_PER_HOST))]
    ids = []
    for one in range(number):
        actor = actor_of(hosts[one // SHOWS_PER_HOST])
        session = session_create(actor=actor, title="A show")
        session_start(session_id=session.pk, actor=actor)
        ids.append(session.pk)
    return ids


def rates(shows: list[Any], viewers: list[User]) -> dict[str, int]:
    """Return the tokens that one core makes in a second."""
    settings.AGORA_APP_ID = settings.AGORA_APP_CERTIFICATE = HEX_32
    settings.LIVEKIT_URL, settings.LIVEKIT_API_KEY, settings.LIVEKIT_API_SECRET = "ws://x", "key", HEX_32
    room, person = RoomRef(session_id=shows[0], channel_id="live-0"), PersonRef(uid="7", name="Seven")
    asked = {"room": room, "person": person, "role": MediaRole.SUBSCRIBER, "is_admin": False}
    found = {}
    makers = {"builtin": BuiltinProvider(), "agora 007": AgoraProvider(), "livekit": LiveKitProvider()}
    for name, maker in makers.items():
        found[f"{name}, signed only"] = rate(lambda _, maker=maker: maker.join(**asked, now=timezone.now()))
    found["builtin, checked, signed and stored"] = rate(
        lambda number: media_token_issue(
            session_id=shows[number % len(shows)],
            actor=actor_of(viewers[number % len(viewers)]),
            role=MediaRole.SUBSCRIBER,
        )
    )
    return found


shows = live_shows(int(sys.argv[1]))
viewers = [User.objects.create_user(f"viewer-{one}") for one in range(int(sys.argv[2]))]
print(
    json.dumps(
        {
            "shows": [str(pk) for pk in shows],
            "access": [bearer_pair(user=viewer)["access"] for viewer in viewers],
            "per_second": rates(shows, viewers),
        }
    )
)
