"""The stage through its people's sockets, on a running product."""

import time

import pytest

pytestmark = pytest.mark.waits


async def on_stage(ada_socket, ben_socket):
    """Have Ben ask and Ada approve."""
    asked = (await ben_socket.command("guest.request", message="May I?")).data["request"]
    heard = (await ada_socket.next("guest.requested"))["data"]["request"]
    assert heard["id"] == asked["id"]
    approved = await ada_socket.command("guest.approve", request=asked["id"])
    assert approved.ok, approved.error
    return asked["id"]


@pytest.mark.alone
async def test_a_request_is_answered_to_all_concerned_within_half_a_second(live):
    ada, ben, eve = live.person("ada"), live.person("ben"), live.person("eve")
    show = live.show(ada)

    async with live.watching(show, ada) as studio, live.watching(show, ben) as asker, live.watching(show, eve) as other:
        started = time.monotonic()
        request = await on_stage(studio, asker)
        resolved = (await asker.next("guest.resolved"))["data"]["request"]
        changes = [(await socket.next("stage.changed"))["data"]["change"] for socket in (studio, asker, other)]
        seconds = time.monotonic() - started

        assert (resolved["id"], resolved["status"]) == (request, "approved")
        assert changes == [{"user": ben.id, "what": "joined", "by": ada.id}] * 3
        assert other.heard("guest.requested", "guest.resolved") == []
        assert seconds < 2, "asked, heard, approved and told; the figure for one step is 0.5 s"


async def test_snapshots_know_the_request_the_queue_and_the_stage(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)

    async with live.watching(show, ben) as asker:
        request = (await asker.command("guest.request")).data["request"]
        async with live.watching(show, ada) as studio, live.watching(show, ben) as again:
            assert studio.snapshot["me"]["queue"] == [request]
            assert again.snapshot["me"]["request"] == request
            assert "queue" not in again.snapshot["me"]
            await studio.command("guest.approve", request=request["id"])
    async with live.watching(show, ben) as back:
        assert [(row["user"]["id"], row["role"]) for row in back.snapshot["participants"]] == [
            (ada.id, "host"),
            (ben.id, "guest"),
        ]
        assert back.snapshot["me"]["role"] == "guest"
        assert (back.snapshot["me"]["can"]["publish"], back.snapshot["me"]["can"]["ask_stage"]) == (True, False)


@pytest.mark.alone
@pytest.mark.parametrize(("op", "code"), [("stage.kick", "session.kicked"), ("stage.ban", "session.banned")])
async def test_a_removed_person_is_closed_at_once_and_stays_out(live, op, code):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    other_show = live.show(ada)
    ticket = ben.post("auth/ticket/", {"session": show}).data["ticket"]

    async with (
        live.watching(show, ada) as studio,
        live.watching(show, ben) as out,
        live.watching(other_show, ben) as elsewhere,
    ):
        await on_stage(studio, out)
        started = time.monotonic()
        assert (await studio.command(op, user=ben.id, reason="x")).ok
        assert await out.close_code() == 4403
        assert time.monotonic() - started < 1

        assert (await elsewhere.command("ping")).ok, "one show's kick is no other show's"
    assert ben.post(f"sessions/{show}/token/", {"role": "subscriber"}).code == code
    assert ben.post(f"sessions/{show}/join/").code == code
    async with live.watching(show, query=f"?ticket={ticket}", greeting=None) as with_ticket:
        assert await with_ticket.close_code() == 4403
    async with live.watching(show, ben, greeting=None) as again:
        assert await again.close_code() == 4403


async def test_a_new_cohost_hears_the_studio_at_once_and_a_former_one_no_more(live):
    ada, ben, cleo = live.person("ada"), live.person("ben"), live.person("cleo")
    show = live.show(ada)

    async with (
        live.watching(show, ada) as studio,
        live.watching(show, ben) as ben_socket,
        live.watching(show, cleo) as asker,
    ):
        await on_stage(studio, ben_socket)
        assert (await studio.command("stage.promote", user=ben.id)).data["participant"]["role"] == "cohost"
        await ben_socket.next("stage.changed")

        first = (await asker.command("guest.request")).data["request"]["id"]
        assert (await ben_socket.next("guest.requested"))["data"]["request"]["id"] == first
        assert (await ben_socket.command("guest.reject", request=first, reason="Later")).ok
        assert (await asker.next("guest.resolved"))["data"]["request"]["reason"] == "Later"

        await studio.command("stage.demote", user=ben.id)
        await studio.next("guest.resolved")
        before = len(ben_socket.heard("guest.requested", "guest.resolved"))
        invited = (await studio.command("guest.invite", user=cleo.id)).data["request"]
        assert (await asker.next("guest.invited"))["data"]["request"] == invited
        await asker.command("guest.decline", request=invited["id"])
        await studio.next("guest.resolved")
        assert await ben_socket.silent()
        assert len(ben_socket.heard("guest.requested", "guest.resolved")) == before
        assert (await ben_socket.command("guest.approve", request=first)).code == "session.not_moderator"


async def test_the_studio_knows_who_was_invited_and_has_not_answered(live):
    ada, ben, cleo = live.person("ada"), live.person("ben"), live.person("cleo")
    show = live.show(ada)

    async with live.watching(show, ada) as studio, live.watching(show, ben) as ben_socket:
        async with live.watching(show, cleo) as other:
            invited = (await studio.command("guest.invite", user=ben.id)).data["request"]
            assert (await studio.next("stage.invited"))["data"] == {"request": invited}
            assert await other.silent()
            assert other.heard("stage.invited") == ben_socket.heard("stage.invited") == []
        async with live.watching(show, ada) as again:
            assert again.snapshot["me"]["invitations"] == [invited]
        async with live.watching(show, cleo) as other:
            assert "invitations" not in other.snapshot["me"]

        await ben_socket.command("guest.decline", request=invited["id"])
        await studio.next("guest.resolved")
        async with live.watching(show, ada) as again:
            assert again.snapshot["me"]["invitations"] == []


async def test_who_waits_moves_up_and_hears_it_alone(live):
    ada, ben, cleo = live.person("ada"), live.person("ben"), live.person("cleo")
    show = live.show(ada)

    async with (
        live.watching(show, ada) as studio,
        live.watching(show, ben) as first,
        live.watching(show, cleo) as second,
    ):
        await first.command("guest.request")
        request = (await second.command("guest.request")).data["request"]
        assert request["position"] == 2
        await first.command("guest.cancel")

        assert (await second.next("guest.moved"))["data"] == {"request": request["id"], "position": 1}
        await studio.next("guest.resolved")
        assert studio.heard("guest.moved") == first.heard("guest.moved") == []
        async with live.watching(show, cleo) as again:
            assert again.snapshot["me"]["request"]["position"] == 1


async def test_a_new_moderator_hears_the_studio_at_once_and_a_former_one_no_more(live):
    ada, ben, cleo = live.person("ada"), live.person("ben"), live.person("cleo")
    show = live.show(ada)

    async with (
        live.watching(show, ada) as studio,
        live.watching(show, ben) as ben_socket,
        live.watching(show, cleo) as asker,
    ):
        assert (await studio.command("stage.appoint", user=ben.id)).data["participant"]["moderator"]
        told = [(await socket.next("stage.changed"))["data"]["change"] for socket in (ben_socket, asker)]
        assert told == [{"user": ben.id, "what": "appointed", "by": ada.id}] * 2
        request = (await asker.command("guest.request")).data["request"]["id"]
        assert (await ben_socket.next("guest.requested"))["data"]["request"]["id"] == request
        async with live.watching(show, ben) as again:
            me = again.snapshot["me"]
            assert (me["role"], me["moderator"], me["can"]["moderate"], me["can"]["appoint"]) == (
                "viewer",
                True,
                True,
                False,
            )
            assert [row["id"] for row in me["queue"]] == [request]

        await studio.command("stage.dismiss", user=ben.id)
        await ben_socket.next("stage.changed")
        await studio.command("guest.reject", request=request)
        await asker.next("guest.resolved")
        assert await ben_socket.silent()
        assert ben_socket.heard("guest.resolved") == []
        assert (await ben_socket.command("stage.mute_all", kind="audio")).code == "session.not_moderator"


async def test_a_moderator_who_was_a_cohost_goes_on_hearing_the_studio(live):
    ada, ben, cleo = live.person("ada"), live.person("ben"), live.person("cleo")
    show = live.show(ada)

    async with (
        live.watching(show, ada) as studio,
        live.watching(show, ben) as ben_socket,
        live.watching(show, cleo) as asker,
    ):
        await on_stage(studio, ben_socket)
        for op in ("stage.promote", "stage.appoint", "stage.demote", "stage.remove"):
            assert (await studio.command(op, user=ben.id)).ok
            await ben_socket.next("stage.changed")

        request = (await asker.command("guest.request")).data["request"]["id"]
        assert (await ben_socket.next("guest.requested"))["data"]["request"]["id"] == request


async def test_who_resumes_learns_who_they_are_now(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)

    async with live.watching(show, ada) as studio, live.watching(show, ben) as socket:
        asked = (await socket.command("guest.request")).data["request"]["id"]
        epoch, seq = socket.snapshot["epoch"], socket.snapshot["seq"]
        await socket.drop()
        await studio.command("guest.approve", request=asked)
    async with live.watching(show, ben, query=f"?epoch={epoch}&after={seq}", greeting="resumed") as back:
        assert [event["type"] for event in back.snapshot["events"]] == ["stage.changed"]
        me = back.snapshot["me"]
        assert (me["role"], me["request"]["status"], me["can"]["publish"]) == ("guest", "approved", True)


async def test_somebody_is_asked_to_turn_on_what_the_studio_turned_off(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)

    async with live.watching(show, ada) as studio, live.watching(show, ben) as guest:
        await on_stage(studio, guest)
        await studio.command("stage.mute", user=ben.id, kind="audio")
        asked = await studio.command("stage.mute", user=ben.id, kind="audio", muted=False)
        assert asked.data["participant"]["audio_muted_by"] == "host"
        assert (await guest.next("stage.unmute_asked"))["data"] == {"kind": "audio", "by": ada.id}
        assert (await guest.command("stage.media", audio=True)).data["participant"]["audio_muted"] is False


async def test_what_is_no_command_of_the_stage_is_answered_and_the_socket_lives(live):
    ada = live.person("ada")
    show = live.show(ada)

    async with live.watching(show, ada) as socket:
        for op, data in (
            ("stage.mute", {"user": ada.id, "kind": "smell"}),
            ("stage.kick", {"user": "nobody"}),
            ("guest.approve", {}),
            ("stage.media", {"audio": "perhaps"}),
        ):
            assert (await socket.command(op, **data)).code == "invalid"
        assert (await socket.command("stage.media", audio=False)).ok


async def test_the_end_of_the_show_empties_the_stage(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)

    async with live.watching(show, ada) as studio, live.watching(show, ben) as guest:
        await on_stage(studio, guest)
        await studio.command("session.end")
        assert (await guest.next("session.changed"))["data"]["session"]["guest_count"] == 0
    async with live.watching(show, ben) as after:
        assert after.snapshot["participants"] == []
