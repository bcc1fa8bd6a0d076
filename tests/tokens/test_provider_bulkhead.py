"""A crowd that requests tokens of a hanging provider."""

import asyncio
import time
from collections import Counter

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.bearer import bearer_pair
from livestream.asgi import application
from livestream.database import REQUESTS
from providers import registry
from streams.models import ProviderRoom
from tests.asgi import answer_of
from tests.cast import make_show, make_user
from tests.circuits import circuits_forget
from tokens import provider_bulkhead
from tokens.provider_bulkhead import ADMITTED, WAIT_SECONDS

CROWD = 2 * ADMITTED + 8
LATER = 400


async def answered(path, *, method="GET", bearer=""):
    """Return status and headers of an answer."""
    sent = {"authorization": f"Bearer {bearer}"} if bearer else {}
    status, headers, _ = await answer_of(application, path, method=method, **sent)
    return status, dict(headers)


@pytest.mark.django_db(transaction=True)
async def test_a_crowd_at_a_provider_that_hangs_leaves_threads_to_everybody_else(settings):
    asked, most, over = 0, 0, asyncio.Event()

    async def hangs(reader, writer):
        nonlocal asked, most
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        most = max(most, asked)
        gone = asyncio.ensure_future(reader.read())
        await asyncio.wait([gone, asyncio.ensure_future(over.wait())], return_when=asyncio.FIRST_COMPLETED)
        asked -= 1
        writer.close()

    server = await asyncio.start_server(hangs, "127.0.0.1", 0)
    settings.DAILY_API_KEY = "daily key"
    settings.DAILY_API_URL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings.PROVIDERS = {**settings.PROVIDERS, "daily": "providers.daily.DailyProvider"}
    registry._load.cache_clear()
    circuits_forget()
    show, viewers = await sync_to_async(_show_and_viewers)()

    def come(bearers):
        path = f"/api/v1/sessions/{show.pk}/token/"
        return [asyncio.create_task(answered(path, method="POST", bearer=bearer)) for bearer in bearers]

    crowd = come(viewers)
    async with asyncio.timeout(60):
        while asked < ADMITTED or sum(one.done() for one in crowd) < CROWD - ADMITTED:
            await asyncio.sleep(0.01)
    # Later requests do not wait at all: each waiting one needs a thread.
    later = come((viewers * LATER)[:LATER])
    status, _ = await asyncio.wait_for(answered(f"/api/v1/sessions/{show.pk}/"), timeout=10)
    began = time.monotonic()
    await asyncio.gather(*later)
    refusing = time.monotonic() - began
    over.set()
    answers = await asyncio.gather(*crowd, *later)
    server.close()
    registry._load.cache_clear()
    circuits_forget()

    assert status == 200
    assert most == ADMITTED
    assert Counter(one for one, _ in answers) == {503: CROWD + LATER}
    assert refusing < 0.8 * LATER / REQUESTS.size * WAIT_SECONDS
    assert all(float(headers[b"retry-after"]) >= 1 for _, headers in answers)


@pytest.mark.django_db(transaction=True)
async def test_a_crowd_at_a_provider_that_is_well_is_served(daily, monkeypatch):
    monkeypatch.setattr(provider_bulkhead, "WAIT_SECONDS", 60.0)  # a busy machine is slow where a provider would not be
    show, viewers = await sync_to_async(_show_and_viewers)()

    answers = await asyncio.gather(
        *(answered(f"/api/v1/sessions/{show.pk}/token/", method="POST", bearer=viewer) for viewer in viewers)
    )

    assert [one for one, _ in answers] == [200] * CROWD


def _show_and_viewers():
    show, now = make_show(make_user(), provider="daily"), timezone.now()
    details = {"url": "https://x.daily.co/room", "name": "room"}
    ProviderRoom.objects.create(
        session=show, provider="daily", channel_id=show.channel_id, claimed_at=now, ready_at=now, details=details
    )
    return show, [bearer_pair(user=make_user())["access"] for _ in range(CROWD)]
