"""WHIP and WHEP on web's own origin, carried to a real media node."""

import pytest
from django.test import AsyncClient

from bench.media.client import MediaClient
from streams.gateways.node import close_clients
from tests.media_node.show import ROOM, SDP, running


@pytest.fixture
async def node(settings):
    async with running() as show:
        settings.MEDIA_URL_INTERNAL = show.url
        yield show
        await close_clients()


@pytest.mark.parametrize(
    ("path", "headers", "place"),
    [
        (f"/whip/{ROOM}", {}, f"/whip/{ROOM}/"),
        (f"/whip/{ROOM.upper()}/", {}, f"/whip/{ROOM}/"),
        (f"/whip/{ROOM}", {"X-Forwarded-Prefix": "/live"}, f"/live/whip/{ROOM}/"),
        (f"/whip/{ROOM}", {"X-Forwarded-Prefix": "//elsewhere"}, f"/whip/{ROOM}/"),
    ],
)
async def test_the_resource_is_named_as_the_caller_reaches_it(node, path, headers, place):
    client, publisher = AsyncClient(), MediaClient("publisher")
    signed = {"Authorization": f"Bearer {node.token()}", **headers}

    answer = await client.post(path, data=publisher.offer(), content_type=SDP, headers=signed)
    resource = answer["Location"]
    restart = await client.patch(
        resource.removeprefix("/live"),
        data="a=ice-ufrag:new\r\n",
        content_type="application/trickle-ice-sdpfrag",
        headers={**signed, "If-Match": "*"},
    )
    ended = await client.delete(resource.removeprefix("/live"), headers=signed)

    publisher.close()
    assert (answer.status_code, resource.rpartition("/")[0] + "/") == (201, place)
    assert (restart.status_code, ended.status_code) == (422, 200)
