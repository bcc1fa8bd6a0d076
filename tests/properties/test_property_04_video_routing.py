"""Property 4 of the design: every viewer gets a route to the host, and the node sends each of them every packet."""

import itertools
from collections import Counter

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from livestream.actors import ANONYMOUS, SYSTEM, actor_of
from livestream.errors import DomainError
from media_node.grants import grant_verify
from providers.interface import MediaRole
from streams.models import Participant
from streams.room_snapshot import RoomParts, room_load
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.people.viewers import viewer_join, viewer_leave
from streams.services.show.sessions import session_end, session_pause, session_resume
from streams.services.stage.participation import stage_demote, stage_leave, stage_promote
from streams.services.stage.slots import slots_note
from tests.cast import make_show, make_user
from tests.media_node.plain_peers import Hall, Sender, Watching
from tests.media_node.show import ROOM
from tokens.services import media_token_issue

pytestmark = pytest.mark.django_db

PEOPLE = 4
ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["join", "join", "leave", "promote", "promote", "demote", "off", "kick", "ban", "pause", "resume", "slots"]
        ),
        st.integers(0, PEOPLE - 1),
    ),
    max_size=14,
)


def act(session, host, people, what, which, versions):
    """Run one step, which may be refused."""
    user, pk = people[which], session.pk
    given = {"session_id": pk, "actor": SYSTEM, "user_id": user.pk}
    try:
        match what:
            case "join":
                viewer_join(session_id=pk, actor=actor_of(user))
            case "leave":
                viewer_leave(session_id=pk, actor=actor_of(user))
            case "promote":
                stage_promote(**given)
            case "demote":
                stage_demote(**given)
            case "off":
                stage_leave(session_id=pk, actor=actor_of(user))
            case "kick":
                participant_kick(**given)
            case "ban":
                participant_ban(**given)
            case "pause":
                session_pause(session_id=pk, actor=actor_of(host))
            case "resume":
                session_resume(session_id=pk, actor=actor_of(host))
            case "slots":
                slots_note(session_id=pk, data=tables(host, next(versions) - which))
    except DomainError:
        pass


def tables(host, version):
    entry = {"index": 0, "user": str(host.pk), "source": "camera"}
    audio = {"index": 0, "user": str(host.pk)}
    return {"v": version, "epoch": "e", "stage": [entry], "speakers": [entry], "audio": [audio]}


def grant_of(session, actor, role):
    """Return a person's grant, or the code of the refusal."""
    try:
        descriptor = media_token_issue(session_id=session.pk, actor=actor, role=role)
    except DomainError as error:
        return error.code
    return descriptor, grant_verify(token=descriptor.token, secret=settings.MEDIA_SECRET)


@given(acts=ACTS)
def test_property_04_everybody_who_may_watch_is_given_the_way_to_the_host(acts):
    """Feature: streaming-realtime-fixes, Property 04: video routing."""
    host, people = make_user(), [make_user() for _ in range(PEOPLE)]
    session = make_show(host)
    versions = itertools.count(10, 4)
    latest = None
    for number, (what, which) in enumerate(acts, start=1):
        act(session, host, people, what, which, versions)
        slots = room_load(session.pk, RoomParts()).common["slots"]
        if slots:
            assert latest is None or slots["v"] >= latest["v"]
            assert slots["speakers"][0] == {"index": 0, "user": str(host.pk), "source": "camera"}
            latest = slots
        rows = dict(Participant.objects.filter(session=session).values_list("user", "status"))
        roles = dict(Participant.objects.filter(session=session, status="active").values_list("user", "role"))
        # After each act the person whom it was about, at the end everybody.
        for person in [None, host, *people] if number == len(acts) else [people[which]]:
            actor = actor_of(person) if person else ANONYMOUS
            status = rows.get(actor.user_id)
            watching = grant_of(session, actor, MediaRole.SUBSCRIBER)
            if status in ("kicked", "banned"):
                assert watching == f"session.{status}"
                continue
            descriptor, grant = watching
            stage = roles.get(actor.user_id, "viewer").replace("viewer", "")
            assert (grant.session, grant.role, grant.stage) == (str(session.pk), "subscriber", stage)
            assert descriptor.url.endswith(f"/whep/{session.pk}")
            publishing = grant_of(session, actor, MediaRole.PUBLISHER)
            assert (publishing[1].stage == stage) if stage else isinstance(publishing, str)


@given(acts=ACTS)
def test_property_04_nobody_is_given_a_way_into_a_show_that_is_over(acts):
    """Feature: streaming-realtime-fixes, Property 04: video routing."""
    host, people = make_user(), [make_user() for _ in range(PEOPLE)]
    session = make_show(host)
    versions = itertools.count(10, 4)
    for what, which in acts:
        act(session, host, people, what, which, versions)

    session_end(session_id=session.pk, actor=SYSTEM)

    assert room_load(session.pk, RoomParts()).common["slots"] == {}
    for person in [host, *people]:
        refusal = grant_of(session, actor_of(person), MediaRole.SUBSCRIBER)
        assert refusal in ("session.ended", "session.kicked", "session.banned")


LAYERS = ("l", "m", "h")
QUALITIES = ("low", "medium", "high")
VIEWERS = 2
PICTURE = st.tuples(st.just("picture"), st.integers(0, 2), st.sampled_from([False, False, True]))
SWITCH = st.tuples(st.just("switch"), st.integers(0, VIEWERS - 1), st.integers(0, 2))
MOVES = st.lists(
    st.one_of(
        PICTURE,
        PICTURE,
        SWITCH,
        SWITCH,
        st.tuples(st.just("lossy"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("repair"), st.just(0), st.just(0)),
        st.tuples(st.just("watch"), st.integers(0, VIEWERS - 1), st.just(0)),
        st.tuples(st.just("leave"), st.integers(0, VIEWERS - 1), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, VIEWERS - 1), st.integers(0, 3)),
        st.tuples(st.sampled_from(["again", "end"]), st.integers(0, 0xFFFF), st.just(0)),
    ),
    min_size=12,
    max_size=36,
)


class Evening:
    """A host who sends, in layers or not, and viewers who come and go."""

    def __init__(self, *, layers, start, reach):
        self.hall, self.layers, self.reach = Hall(), layers, reach
        self.names = itertools.count()
        self.publish(start)
        for rid in self.sender.ssrcs:
            self.sender.send(rid, is_key=True)
        self.viewers = {place: self.join(place) for place in range(VIEWERS)}
        self.gone = []

    def publish(self, start):
        self.sender = Sender(self.hall, layers=self.layers, name=f"ada{next(self.names)}", start=start)

    def join(self, place):
        return Watching(self.hall, f"ben{place}")

    def move(self, what, one, other):
        rids = list(self.sender.ssrcs)
        viewer = self.viewers.get(one)
        if what in ("picture", "lossy"):
            self.sender.send(rids[one % len(rids)], is_key=other, is_lost=what == "lossy")
        elif what == "repair":
            self.reach["repaired"] += bool(self.sender.lost)
            self.sender.repair()
        elif what == "watch" and viewer is None and self.hall.engine.rooms[ROOM].is_live:
            self.viewers[one] = self.join(one)
        elif what == "leave" and viewer is not None:
            viewer.peer.close("closed")
            self.gone.append(self.viewers.pop(one))
            self.reach["left"] += 1
        elif what == "switch" and viewer is not None:
            viewer.peer.request_layers({"quality": QUALITIES[other]})
            for is_key in (False, True, False):
                for rid in rids:
                    self.sender.send(rid, is_key=is_key)
        elif what == "lose" and viewer is not None and viewer.seen:
            self.lose(viewer, viewer.seen[-1 - min(other, len(viewer.seen) - 1)])
        elif what == "again":
            self.publish(one)
            for rid in self.sender.ssrcs:
                self.sender.send(rid, is_key=True)
        elif what == "end":
            self.sender.peer.close("closed")
            self.publish(one)
        self.hall.tick(0.02)

    def lose(self, viewer, seen):
        """A repeated packet equals the original, unless it is from before a change."""
        again = viewer.ask_again(seen)
        if (
            seen.source == viewer.seen[-1].source
            and seen in viewer.stretches()[-1]
            and self.sender.name == seen.source[0]
        ):
            self.reach["sent again"] += 1
            assert [packet.payload[-12:] for packet in again] in ([seen.packet.payload[-12:]], [])
        assert all(packet.payload.endswith(seen.packet.payload[-12:]) for packet in again)

    def finish(self):
        """After any history, remaining viewers receive the current media."""
        for _ in range(3):
            for rid in self.sender.ssrcs:
                self.sender.send(rid, is_key=True)
            self.hall.tick(0.6)
        for viewer in self.viewers.values():
            assert viewer.is_here
            last = viewer.seen[-1]
            assert last.source[0] == self.sender.name
            assert last.number == self.sender.numbers[last.source[1]]

    def check(self, viewer):
        """Assert every packet after the first key frame, in unbroken numbers, and none of a former source."""
        stretches = viewer.stretches()
        if not stretches:
            return  # gone before the first frame
        for before, after in itertools.pairwise(stretches):
            highest = max(before, key=lambda seen: seen.number)
            assert (after[0].packet.sequence - highest.packet.sequence) & 0xFFFF == 1
            assert after[0].packet.payload[5] & 0x10, "a change starts with the first packet of a picture"
            is_same = before[0].source[0] == after[0].source[0]
            self.reach["moved to another layer" if is_same else "moved to another publication"] += 1
        ends = [after[0].at for after in stretches[1:]] + [len(self.hall.arrived)]
        for stretch, end in zip(stretches, ends, strict=True):
            first, source = stretch[0], stretch[0].source
            for seen in stretch:
                assert (seen.packet.sequence - first.packet.sequence) & 0xFFFF == (seen.number - first.number) & 0xFFFF
            arrived = [number for of, number in self.hall.arrived[first.at : end] if of == source]
            delivered = [seen.number for seen in stretch]
            assert len(set(delivered)) == len(delivered)
            if viewer.is_here:
                assert [number for number in arrived if number >= first.number] == [
                    number for number in delivered if number >= first.number
                ]
            assert set(delivered) <= set(arrived)


def test_property_04_every_viewer_is_sent_every_packet_from_the_first_key_frame_on():
    """Feature: streaming-realtime-fixes, Property 04: video routing."""
    reach = Counter()

    @given(moves=MOVES, is_layered=st.sampled_from([True, True, False]), start=st.sampled_from([7, 30_000, 65_520]))
    def holds(moves, is_layered, start):
        evening = Evening(layers=LAYERS if is_layered else (), start=start, reach=reach)
        for what, one, other in moves:
            evening.move(what, one, other)
        evening.finish()
        for viewer in [*evening.viewers.values(), *evening.gone]:
            evening.check(viewer)
        reach["evenings"] += 1

    holds()

    for reached in ("moved to another layer", "moved to another publication", "repaired", "sent again", "left"):
        assert reach[reached] >= reach["evenings"] * 0.3, (reached, reach)
