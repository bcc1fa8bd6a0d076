"""A storm on one stage, as a process of its own: `python -m tests.stage_storm cast|storm|count ...`, JSON out.

Several of these at once act as several web processes: they share only the database.
"""

import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import django

WAITING = 100
SEATED = 10
THREADS = 28


def cast() -> dict[str, object]:
    """Create a show with a co-host and ten guests on stage, and a hundred pending requests."""
    from livestream.actors import SYSTEM, actor_of
    from streams.services.people.viewers import viewer_join
    from streams.services.stage.guest_requests import guest_request_make
    from streams.services.stage.participation import stage_promote
    from tests.cast import make_show, make_user

    host = make_user()
    session = make_show(host)
    cohost, *guests = [make_user() for _ in range(1 + SEATED)]
    for user in (cohost, *guests, cohost):
        viewer_join(session_id=session.pk, actor=actor_of(user))
        stage_promote(session_id=session.pk, actor=SYSTEM, user_id=user.pk)
    requests = []
    for _ in range(WAITING):
        request, _ = guest_request_make(session_id=session.pk, actor=actor_of(make_user()))
        requests.append(str(request.pk))
    return {
        "session": str(session.pk),
        "cohost": str(cohost.pk),
        "guests": [str(user.pk) for user in guests],
        "requests": requests,
    }


def storm(session: UUID, number: int, of: int, at: float, scene: dict[str, Any]) -> dict[str, int]:
    """Run this process's share of simultaneous actions: approvals, leaving, kicks, coming back, new tokens, and a
    co-host who mutes everybody while being demoted."""
    from accounts.models import User
    from livestream.actors import SYSTEM, Actor, actor_of
    from livestream.errors import DomainError
    from providers.interface import MediaRole
    from streams.models import GuestRequest, StreamSession
    from streams.permissions import standing_of
    from streams.services.people.removal import participant_kick
    from streams.services.people.viewers import viewer_enter, viewers_left
    from streams.services.stage.guest_requests import guest_request_approve
    from streams.services.stage.participation import stage_demote, stage_leave, stage_mute
    from tokens.services import media_token_issue

    host = actor_of(User.objects.get(pk=StreamSession.objects.get(pk=session).host_id))
    people = {str(user.pk): actor_of(user) for user in User.objects.filter(pk__in=scene["guests"])}
    askers = dict(GuestRequest.objects.filter(session=session).values_list("pk", "user_id"))

    def come_back(user: Actor) -> object:
        assert user.user_id
        viewers_left(session, [user.user_id])
        standing = standing_of(actor=user, session_id=session)
        return viewer_enter(session_id=session, user_id=user.user_id, standing=standing)

    acts = [
        lambda r=r: guest_request_approve(session_id=session, request_id=UUID(r), actor=host)
        for r in scene["requests"][number::of]
    ]
    for index, guest in enumerate(scene["guests"]):
        user = people[guest]
        if index % of == number:
            acts.append(
                [
                    lambda u=user: stage_leave(session_id=session, actor=u),
                    lambda u=user: participant_kick(session_id=session, actor=SYSTEM, user_id=u.user_id),
                    lambda u=user: come_back(u),
                ][index % 3]
            )
        acts.append(lambda u=user: media_token_issue(session_id=session, actor=u, role=MediaRole.PUBLISHER))
    cohost = actor_of(User.objects.get(pk=scene["cohost"]))
    first = [  # all of them check their rights before the demotion is committed
        lambda g=guest, k=kind: stage_mute(session_id=session, actor=cohost, user_id=UUID(g), kind=k)
        for guest in scene["guests"][number::of]
        for kind in ("audio", "video", "screen")
    ]
    if number == 0:
        first.append(lambda: stage_demote(session_id=session, actor=host, user_id=UUID(scene["cohost"])))
    for asker in list(askers.values())[number :: of * 5]:
        acts.append(lambda pk=asker: come_back(actor_of(User.objects.get(pk=pk))))
    random.Random(number).shuffle(acts)

    def one(act) -> str:
        from django.db import connection

        try:
            time.sleep(max(0.0, at - time.time()))
            act()
            return "ok"
        except DomainError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(Counter(pool.map(one, first + acts)))


def count(session: UUID) -> dict[str, object]:
    """Return the stored state afterwards, before and after all pending requests are approved."""
    from livestream.actors import SYSTEM
    from livestream.errors import DomainError
    from streams.models import Participant, SessionEvent, StreamSession
    from streams.services.stage.participation import stage_promote

    def seats() -> int:
        return Participant.objects.filter(session=session, status="active", role__in=("guest", "cohost")).count()

    def counted() -> int:
        return StreamSession.objects.get(pk=session).guest_count

    after_storm = [seats(), counted()]
    for pk in Participant.objects.filter(session=session, status="active", role="viewer").values_list(
        "user", flat=True
    ):
        try:
            stage_promote(session_id=session, actor=SYSTEM, user_id=pk)
        except DomainError as error:
            assert error.code == "stage.full", error
    told = list(SessionEvent.objects.filter(session=session, type="stage.changed").order_by("seq"))
    seqs = list(SessionEvent.objects.filter(session=session).order_by("seq").values_list("seq", flat=True))
    changes = [event.data["change"] for event in told]
    demoted = next(place for place, change in enumerate(changes) if change["what"] == "demoted")
    return {
        "by_the_former_cohost": sum(change["by"] == changes[demoted]["user"] for change in changes[demoted:]),
        "after_storm": after_storm,
        "filled": [seats(), counted()],
        "most": max(event.data["guest_count"] for event in told),
        "agree": all(event.data["guest_count"] == len(event.data["participants"]) - 1 for event in told),
        "no_holes": seqs == list(range(1, len(seqs) + 1)),
    }


def main() -> None:
    """Run the command of the first argument."""
    django.setup()
    match sys.argv[1:]:
        case ["cast"]:
            result: object = cast()
        case ["storm", session, number, of, at]:
            result = storm(UUID(session), int(number), int(of), float(at), json.load(sys.stdin))
        case ["count", session]:
            result = count(UUID(session))
        case other:
            raise SystemExit(f"unknown: {other}")
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
