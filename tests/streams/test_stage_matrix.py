"""Rights on a stage: every role, every action and every target, over HTTP and over the socket.

The rules are written here a second time, as plainly as possible. Each cell is tried and rolled back.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pytest

from livestream.actors import ANONYMOUS, SYSTEM, actor_of
from livestream.errors import DomainError
from livestream.routing import LiveConsumer
from streams.models import GuestRequest, Participant, SessionEvent, SessionModerator
from streams.room_snapshot import RoomContext
from streams.services.stage.guest_requests import guest_request_make
from streams.services.stage.participation import stage_promote
from tests.cast import let_in, make_show, make_user
from tests.transactions import rolled_back

pytestmark = pytest.mark.django_db

ACTORS = ("anonymous", "stranger", "viewer", "guest", "cohost", "moderator", "host", "staff", "banned", "kicked")
TARGETS = ("self", "absent", *("viewer", "guest", "cohost", "moderator", "host", "staff", "banned", "kicked"))
DEEDS = {
    "mute": ("mute", "stage.mute", {"kind": "audio"}),
    "unmute": ("unmute", "stage.unmute", {"kind": "audio"}),
    "stop": ("stop-screen", "stage.stop_screen", {}),
    "remove": ("remove", "stage.remove", {}),
    "promote": ("promote", "stage.promote", {}),
    "demote": ("demote", "stage.demote", {}),
    "appoint": ("appoint", "stage.appoint", {}),
    "dismiss": ("dismiss", "stage.dismiss", {}),
    "kick": ("kick", "stage.kick", {"reason": "x"}),
    "ban": ("ban", "stage.ban", {"reason": "x"}),
    "invite": ("invite", "guest.invite", {}),
}
OWN = {"mute", "unmute", "stop"}
MODERATING = {"cohost", "moderator", "host", "staff"}
ON_STAGE = {"guest", "cohost"}
STATUS = {
    "not_authenticated": 401,
    "participant.missing": 404,
    "stage.not_on_stage": 409,
    "stage.on_stage_already": 409,
    "stage.not_here": 409,
    "request.pending": 409,
    "session.ended": 409,
}
OK = "ok"


@dataclass
class Cast:
    """A show with two of every role, so that everybody also meets their peers."""

    session: Any
    people: dict[str, Any]
    likes: dict[str, Any]
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, api, role):
        """One client for each actor: authentication is not under test here."""
        if role not in self.clients:
            self.clients[role] = api(self.people.get(role))
        return self.clients[role]

    @cached_property
    def stored(self):
        """Return the stored rows before an attempt."""
        return self.stored_now()

    def stored_now(self):
        return (
            list(Participant.objects.filter(session=self.session).order_by("pk").values()),
            list(SessionModerator.objects.order_by("pk").values()),
            SessionEvent.objects.count(),
            GuestRequest.objects.count(),
        )

    def actor(self, role):
        return ANONYMOUS if role == "anonymous" else actor_of(self.people[role])

    def target(self, actor, role):
        if role == "self":
            return self.people.get(actor, self.people["absent"])
        return self.likes.get(role, self.people.get(role))


def cast():
    """Everybody in their roles."""
    host = make_user()
    session = make_show(host)
    people, likes = {"host": host, "stranger": make_user(), "absent": make_user()}, {}
    for group in (people, likes):
        for role in ("viewer", "guest", "cohost", "moderator", "staff", "banned", "kicked"):
            group[role] = user = make_user(is_staff=role == "staff")
            let_in(session, user, status=role if role in ("banned", "kicked") else "active")
            for _ in range({"guest": 1, "cohost": 2}.get(role, 0)):
                stage_promote(session_id=session.pk, actor=SYSTEM, user_id=user.pk)
            if role == "moderator":
                SessionModerator.objects.create(session=session, user=user, created_at=session.created_at)
    Participant.objects.filter(session=session, role__in=ON_STAGE).update(screen_sharing=True)
    return Cast(session, people, likes)


def at_the_door(actor):
    """Return the reason why a person can do nothing at all."""
    refusals = {"anonymous": "not_authenticated", "banned": "session.banned", "kicked": "session.kicked"}
    return refusals.get(actor)


def expected(deed, actor, target):
    """Return 'ok' or the code of the refusal."""
    if refusal := at_the_door(actor):
        return refusal
    itself = target == "self" or (actor, target) == ("host", "host")
    if itself and deed in OWN:
        return OK if actor in {"host", "cohost", "guest"} else "stage.not_on_stage"
    if actor not in MODERATING:
        return "session.not_moderator"
    if target == "absent":
        return "participant.missing"
    if itself or target == "host":
        return "stage.not_allowed"
    if target == "cohost" and actor not in ("host", "staff"):
        return "stage.not_allowed"
    if deed in ("appoint", "dismiss"):
        if actor not in ("host", "staff"):
            return "stage.not_allowed"
        return "stage.not_here" if deed == "appoint" and target in ("banned", "kicked") else OK
    if deed in ("kick", "ban"):
        protected = {"staff": {"staff"}, "moderator": {"host", "staff"}}.get(target, MODERATING)
        return OK if actor in protected else "stage.not_allowed"
    if deed == "invite":
        if target in ON_STAGE:
            return "stage.on_stage_already"
        allowed = {"banned": set(), "kicked": {"host", "staff"}}.get(target, MODERATING)
        return OK if actor in allowed else "stage.not_allowed"
    if deed == "promote":
        if target == "cohost":
            return "stage.on_stage_already"
        if target == "guest":
            return OK if actor == "host" else "stage.not_allowed"
        return "stage.not_here" if target in ("banned", "kicked") else OK
    return OK if target in ON_STAGE else "stage.not_on_stage"


def over_http(api, cast, deed, actor, target):
    verb, _, data = DEEDS[deed]
    path = f"/api/v1/sessions/{cast.session.pk}/participants/{target.pk}/{verb}/"
    if deed == "invite":
        path, data = f"/api/v1/sessions/{cast.session.pk}/guest-requests/invite/", {"user_id": str(target.pk)}
    answer = cast.client(api, actor).post(path, data, format="json")
    if answer.status_code < 300:
        return OK
    code = answer.json()["error"]["code"]
    assert answer.status_code == STATUS.get(code, 403), answer.content
    return code


def on_the_socket(cast, op, actor, **data):
    operation = LiveConsumer.commands[op]
    text = {name: str(value) for name, value in data.items()}
    try:
        given = operation.validated(text) if operation.takes else {}
        operation.run(RoomContext(session_id=cast.session.pk, actor=cast.actor(actor)), **given)
    except DomainError as error:
        return error.code
    return OK


def tried(cast, attempt):
    """Return the outcome of an attempt, which is rolled back; a refused one has changed nothing by itself."""
    before = cast.stored
    with rolled_back():
        outcome = attempt()
        if outcome != OK:
            assert cast.stored_now() == before
    return outcome


@pytest.mark.parametrize("actor", ACTORS)
def test_every_deed_of_everybody_on_everybody(api, actor):
    scene = cast()
    cells = {(deed, role): scene.target(actor, role) for deed in DEEDS for role in TARGETS}
    wanted = {(deed, role): expected(deed, actor, role) for deed, role in cells}

    http, socket = {}, {}
    for (deed, role), target in cells.items():
        _, op, data = DEEDS[deed]
        http[deed, role] = tried(scene, partial(over_http, api, scene, deed, actor, target))
        socket[deed, role] = tried(scene, partial(on_the_socket, scene, op, actor, user=target.pk, **data))

    assert {cell: (http[cell], wanted[cell]) for cell in cells if http[cell] != wanted[cell]} == {}
    assert {cell: (socket[cell], wanted[cell]) for cell in cells if socket[cell] != wanted[cell]} == {}


# The actions that each right of the list of people stands for, with a target whose state does not forbid them.
RIGHTS = {"manage": ("mute", "remove", "unmute", "stop"), "appoint": ("dismiss",), "put_out": ("kick", "ban")}


@pytest.mark.parametrize("actor", sorted(set(ACTORS) - {"anonymous", "banned", "kicked"}))
def test_the_list_of_people_tells_what_the_reader_may_do_with_each(api, actor):
    scene = cast()
    url = f"/api/v1/sessions/{scene.session.pk}/participants/?limit=100"
    rows = {row["user"]["id"]: row for row in api(scene.people[actor]).get(url).json()["results"]}
    targets = {role: rows.get(str(scene.target(actor, role).pk)) for role in set(TARGETS) - {"absent"}}

    told = {role: row["may"] for role, row in targets.items() if row is not None}
    wanted = {role: _may(actor, role) for role in told}

    assert told == wanted
    assert set(told) >= {"guest", "cohost", "host", "viewer", "moderator", "staff"}


def _may(actor, target):
    """Return the result of the rules in this file. A refusal because of a person's state is no lack of rights."""
    refused = {"stage.not_allowed", "session.not_moderator"}
    is_own = target == "self" or (actor, target) == ("host", "host")
    may = {
        right
        for right, deeds in RIGHTS.items()
        for deed in deeds
        if not (is_own and deed in OWN) and expected(deed, actor, target) not in refused
    }
    if "manage" in may and expected("promote", actor, "guest") == OK:
        may.add("rank")
    return [right for right in ("manage", "rank", "appoint", "put_out") if right in may]


# People's actions for themselves, or a manager's for the whole stage: op, path and body; outcome by actor.
NOT_SEATED = dict.fromkeys(("stranger", "viewer", "moderator", "staff"), "stage.not_on_stage")
NOT_MODERATING = dict.fromkeys(("stranger", "viewer", "guest"), "session.not_moderator")
SEATED_ALREADY = dict.fromkeys(("guest", "cohost", "host"), "stage.on_stage_already")
WHOLE = {
    "guest.request": ("guest-requests/", {}, SEATED_ALREADY),
    "stage.leave": ("stage/leave/", {}, NOT_SEATED | {"host": "stage.not_allowed"}),
    "stage.media": ("stage/media/", {"audio": False}, NOT_SEATED),
    "stage.mute_all": ("stage/mute-all/", {"kind": "audio"}, NOT_MODERATING),
}


@pytest.mark.parametrize("actor", ACTORS)
def test_every_deed_that_has_no_target(api, actor):
    scene = cast()
    door = at_the_door(actor)

    for op, (path, data, refusals) in WHOLE.items():
        wanted = door or refusals.get(actor, OK)
        assert (op, tried(scene, partial(posted, api, scene, actor, path, data))) == (op, wanted)
        assert (op, tried(scene, partial(on_the_socket, scene, op, actor, **data))) == (op, wanted)


def posted(api, cast, actor, path, data):
    answer = cast.client(api, actor).post(f"/api/v1/sessions/{cast.session.pk}/{path}", data, format="json")
    return OK if answer.status_code < 300 else answer.json()["error"]["code"]


ANSWERS = {
    "guest.approve": ("approve", lambda actor: OK if actor in MODERATING else "session.not_moderator"),
    "guest.reject": ("reject", lambda actor: OK if actor in MODERATING else "session.not_moderator"),
    "guest.accept": ("accept", lambda actor: "stage.not_allowed"),
    "guest.decline": ("decline", lambda actor: "stage.not_allowed"),
}


@pytest.mark.parametrize("actor", ACTORS)
def test_every_answer_of_everybody_to_anothers_request_and_who_reads_the_queue(api, actor):
    scene = cast()
    guest_request, _ = guest_request_make(session_id=scene.session.pk, actor=actor_of(scene.likes["viewer"]))
    door = at_the_door(actor)

    for op, (verb, rule) in ANSWERS.items():
        wanted = door or rule(actor)
        path = f"guest-requests/{guest_request.pk}/{verb}/"
        assert (op, tried(scene, partial(posted, api, scene, actor, path, {}))) == (op, wanted)
        assert (op, tried(scene, partial(on_the_socket, scene, op, actor, request=guest_request.pk))) == (op, wanted)
    queue = api(scene.people.get(actor)).get(f"/api/v1/sessions/{scene.session.pk}/guest-requests/")
    wanted = door or (OK if actor in MODERATING else "session.not_moderator")
    assert (OK if queue.status_code == 200 else queue.json()["error"]["code"]) == wanted


def test_nothing_of_it_reaches_into_another_show(api):
    """A person with rights here finds nobody there: not with an id of this show's people."""
    here, there = cast(), make_show(make_user())
    elsewhere, target = Cast(there, here.people, here.likes), here.likes["guest"]

    for actor in set(ACTORS) - {"anonymous", "banned", "kicked"}:
        wanted = "participant.missing" if actor == "staff" else "session.not_moderator"
        outcomes = {deed: tried(elsewhere, partial(over_http, api, elsewhere, deed, actor, target)) for deed in DEEDS}
        assert (actor, outcomes) == (actor, dict.fromkeys(DEEDS, wanted))


def test_the_table_knows_everybody():
    assert {actor for actor in ACTORS if at_the_door(actor)} == {"anonymous", "banned", "kicked"}
    refused = {expected(deed, actor, target) for deed in DEEDS for actor in ACTORS for target in TARGETS}
    assert refused == {
        OK,
        "not_authenticated",
        "session.banned",
        "session.kicked",
        "session.not_moderator",
        "participant.missing",
        "stage.not_allowed",
        "stage.not_on_stage",
        "stage.on_stage_already",
        "stage.not_here",
    }
