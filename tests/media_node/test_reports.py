"""Reports to web: signed, in order, and delivered across its outages."""

import asyncio
import contextlib
import json
import time

import pytest
from aiohttp import web

from media_node.reports import QUEUE_LIMIT, Reporter, ReportInvalid, report_sign, report_verify
from tests.media_node.show import ROOM, SECRET, eventually, running
from tests.media_node.test_whip import send_key_frame

pytestmark = pytest.mark.waits

BODY = b'{"type": "publisher.connected"}'
NOW = 1_800_000_000


class Receiver:
    """Web's side: accepts reports when it is up and checks every signature."""

    def __init__(self):
        self.reports = []
        self.refuse_with = 0
        self.runner = None
        self.port = 0

    async def open(self):
        app = web.Application()
        app.add_routes([web.post("/webhooks/builtin/", self.take)])
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def close(self):
        await self.runner.cleanup()

    async def take(self, request):
        body = await request.read()
        report_verify(body=body, header=request.headers["Livestream-Signature"], secret=SECRET, now=time.time())
        if self.refuse_with:
            return web.Response(status=self.refuse_with)
        self.reports.append(json.loads(body))
        return web.Response(status=204)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/webhooks/builtin/"

    def reported(self):
        reported = [report for report in self.reports if report["type"] != "slots.changed"]
        return [(report["type"], report["user"], report["data"].get("reason")) for report in reported]


@pytest.fixture
async def receiver():
    receiver = Receiver()
    await receiver.open()
    yield receiver
    with contextlib.suppress(Exception):
        await receiver.close()


def test_a_signature_fits_its_body_and_time():
    header = report_sign(body=BODY, secret=SECRET, now=NOW)

    for drift in (-300, 0, 300):
        report_verify(body=BODY, header=header, secret=SECRET, now=NOW + drift)


@pytest.mark.parametrize(
    ("body", "header", "drift"),
    [
        (BODY, None, 301),
        (BODY, None, -301),
        (BODY + b" ", None, 0),
        (BODY, "", 0),
        (BODY, "t=1", 0),
        (BODY, "v1=00", 0),
        (BODY, f"t={NOW},v1=", 0),
        (BODY, f"t={NOW},v1=é", 0),
        (BODY, "t=²,v1=00", 0),
        (BODY, report_sign(body=BODY, secret="t" * 40, now=NOW), 0),
        (BODY, report_sign(body=BODY, secret=SECRET, now=NOW)[:-1], 0),
        (BODY, report_sign(body=BODY, secret=SECRET, now=NOW).replace(str(NOW), str(NOW + 1)), 0),
    ],
)
def test_anything_else_is_not_believed(body, header, drift):
    if header is None:
        header = report_sign(body=BODY, secret=SECRET, now=NOW)

    with pytest.raises(ReportInvalid):
        report_verify(body=body, header=header, secret=SECRET, now=NOW + drift)


async def test_the_life_of_a_publication_is_told(receiver):
    async with running(webhook_url=receiver.url) as show:
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: len(receiver.reported()) == 2)
        resource = show.publisher().resource
        ada.close()
        await eventually(lambda: len(receiver.reported()) == 3)

        assert receiver.reported() == [
            ("node.started", None, None),
            ("publisher.connected", "ada", None),
            ("publisher.lost", "ada", "closed"),
        ]
        connected = receiver.reports[1]
        assert {key: connected[key] for key in ("node", "session", "resource")} == {
            "node": "local",
            "session": ROOM,
            "resource": resource,
        }
        assert len({report["id"] for report in receiver.reports}) == len(receiver.reports)


async def test_who_is_in_which_place_is_told_and_the_latest_is_enough(receiver):
    async with running(webhook_url=receiver.url) as show:
        receiver.refuse_with = 503
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        stage = show.engine.rooms[ROOM].stage
        await eventually(lambda: stage.stage.rows == [("ada", "camera")])
        mo = await show.synthetic("publisher", "mo")
        await send_key_frame(mo)
        await eventually(lambda: len(stage.stage.rows) == 2)
        await asyncio.sleep(0.7)

        receiver.refuse_with = 0
        await eventually(lambda: any(report["type"] == "slots.changed" for report in receiver.reports))

        reported = [report for report in receiver.reports if report["type"] == "slots.changed"]
        assert [report["session"] for report in reported] == [ROOM]
        assert reported[0]["data"] == {
            "v": stage.version,
            "epoch": show.engine.epoch,
            "stage": [
                {"index": 0, "user": "ada", "source": "camera"},
                {"index": 1, "user": "mo", "source": "camera"},
            ],
            "speakers": [
                {"index": 0, "user": "ada", "source": "camera"},
                {"index": 2, "user": "mo", "source": "camera"},
            ],
            "audio": [],
        }

        ada.close()
        mo.close()
        await eventually(lambda: not show.engine.rooms)
        await eventually(lambda: receiver.reports[-1]["type"] == "slots.changed")
        last = receiver.reports[-1]["data"]
        assert (last["stage"], last["speakers"]) == ([], [])
        assert last["v"] > reported[0]["data"]["v"]


async def test_silence_is_told_and_so_is_the_return(receiver):
    async with running(webhook_url=receiver.url, silence_seconds=0.5) as show:
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: ("publisher.lost", "ada", "silent") in receiver.reported(), seconds=3)
        assert not show.engine.rooms[ROOM].is_live

        await send_key_frame(ada)
        ada.send_rtp(bytes.fromhex("80600002") + b"\0" * 4 + ada.video_ssrc.to_bytes(4, "big") + b"\x10\x10")
        await eventually(lambda: len(receiver.reported()) >= 4)

        assert [kind for kind, _, _ in receiver.reported()][:4] == [
            "node.started",
            "publisher.connected",
            "publisher.lost",
            "publisher.connected",
        ]


async def test_a_replacement_is_told_as_one_lost_and_one_connected(receiver):
    async with running(webhook_url=receiver.url) as show:
        for _ in range(2):
            await send_key_frame(await show.synthetic("publisher", "ada"))
            await eventually(
                lambda: (
                    show.publisher() is not None and ROOM in show.engine.rooms and not show.engine.rooms[ROOM].waiting
                )
            )
        await eventually(lambda: len(receiver.reported()) == 4)

        assert receiver.reported()[1:] == [
            ("publisher.connected", "ada", None),
            ("publisher.lost", "ada", "replaced"),
            ("publisher.connected", "ada", None),
        ]


async def test_reports_survive_web_being_away_and_arrive_in_order(receiver):
    reporter = Reporter(url=receiver.url, secret=SECRET, node="local")
    reporter.start()
    reporter.report("node.started")
    await eventually(lambda: len(receiver.reported()) == 1)
    await receiver.close()

    for number in range(5):
        reporter.report("publisher.connected", user=str(number))
    await asyncio.sleep(0.5)
    receiver.refuse_with = 503
    await receiver.open()
    await asyncio.sleep(0.5)
    receiver.refuse_with = 0

    await eventually(lambda: len(receiver.reported()) == 6, seconds=8)
    assert [report["user"] for report in receiver.reports[1:]] == ["0", "1", "2", "3", "4"]
    await reporter.stop(flush_seconds=1)


async def test_a_report_that_web_refuses_for_good_does_not_hold_up_the_others(receiver):
    receiver.refuse_with = 400
    reporter = Reporter(url=receiver.url, secret=SECRET, node="local")
    reporter.start()
    reporter.report("node.started")
    await eventually(lambda: reporter.dropped == 1)
    receiver.refuse_with = 0

    reporter.report("publisher.connected", user="ada")

    await eventually(lambda: receiver.reported() == [("publisher.connected", "ada", None)])
    await reporter.stop(flush_seconds=1)


@pytest.mark.alone
async def test_the_queue_is_bounded_and_ends_quickly_when_nobody_listens():
    reporter = Reporter(url="http://127.0.0.1:1/", secret=SECRET, node="local")
    reporter.start()

    for number in range(QUEUE_LIMIT + 10):
        reporter.report("publisher.connected", user=str(number))

    assert (len(reporter), reporter.dropped) == (QUEUE_LIMIT, 10)
    started = time.monotonic()
    await reporter.stop(flush_seconds=0.2)
    assert time.monotonic() - started < 1.5
