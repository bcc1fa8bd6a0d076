"""Property 14 of the design: the table decides, timeouts end abandoned shows, and an end leaves nothing behind."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from livestream.realtime.protocol import CloseCode
from providers.interface import MediaRole
from streams.janitor import janitor_tick
from streams.models import GuestRequest, Participant, SessionEvent, SessionTransition, StreamSession
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.show.sweeps import sessions_expire
from streams.services.stage.guest_requests import guest_request_make
from streams.state import EndReason, SessionState, can_move
from tests.properties.machines import machine_settings
from tests.properties.reach import Reach
from tests.properties.show_life import LEADS_TO, Show
from tests.streams.fake_node import FakeNode
from tokens.models import IssuedToken
from tokens.services import media_token_issue

# The start of a life that ends for this reason. "seen" and "lost": the host's media is there, and away.
FATES = {
    EndReason.NEVER_STARTED: [],
    EndReason.HOST_NEVER_CAME: ["start"],
    EndReason.HOST_LOST: ["start", "seen", "lost", "pause"],
    EndReason.PAUSED_TOO_LONG: ["start", "seen", "pause"],
    EndReason.HOST: ["start", "seen"],
    EndReason.MODERATOR: ["start"],
    EndReason.FAILURE: ["start", "seen", "pause"],
}


class Lifecycle(RuleBasedStateMachine):
    """Lives of one show, one after the other. Each begins in the middle, with people, a request and tokens."""

    show: Show
    node: FakeNode
    reach: Reach

    @initialize(fate=st.sampled_from(EndReason))
    def first_life(self, fate):
        self.reach.begin()
        self.begin(fate)

    def begin(self, fate):
        self.fate = fate
        self.show.begin()
        self.node.closed.clear()
        for step in FATES[fate]:
            self.media(step == "seen") if step in ("seen", "lost") else self.taken(step)
        self.waiting = int(self.is_live())
        if self.waiting:
            with self.show.clock():
                guest_request_make(session_id=self.show.session.pk, actor=self.show.actors["viewer"])

    def teardown(self):
        try:
            if self.is_open():
                self.meet_fate()
            for step in self.show.model.impossible():
                self.taken(step)
            self.the_row_is_the_model()
            self.an_end_leaves_nothing_behind()
        finally:
            self.show.undo()
        self.reach.finish()

    def taken(self, step, who="host"):
        """Take a step; the room is notified if, and only if, it moved the show."""
        before = self.show.model.state
        outcome, heard = self.show.step(step, who)
        assert can_move(current=SessionState(before), to=SessionState(LEADS_TO[step])) or outcome != "moved"
        self.told(before, heard, moved=outcome == "moved")
        self.reach.note(step if outcome == "moved" else f"{outcome}_while_{before}")

    def told(self, before, heard, *, moved):
        """Check the room's messages about a move: the event, and at the end the closing of sockets."""
        model = self.show.model
        if not moved:
            assert heard == []
            return
        (event, *rest) = heard
        _, after, reason = model.moves[-1]
        assert (event["type"], event["data"]["session"]["state"]) == ("session.changed", after)
        assert (event["data"]["previous"], event["data"]["reason"]) == (before, reason or None)
        close = {"type": "close", "code": CloseCode.SESSION_ENDED, "after": 60.0}
        assert rest == ([close] if model.over else [])

    def is_open(self):
        return not self.show.model.over

    def is_live(self):
        return self.show.model.state in ("active", "paused")

    @precondition(is_live)
    @rule()
    def go_on(self):
        (step,) = set(self.show.model.possible()) - {"end", "fail"}
        self.taken(step)

    @rule(data=st.data(), who=st.sampled_from(["host", "host", "viewer", "guest", "anonymous"]))
    def try_in_vain(self, data, who):
        """Take a step that is done already or not possible now, or reserved for somebody else."""
        steps = self.show.model.impossible() if who == "host" else sorted(LEADS_TO)
        self.taken(data.draw(st.sampled_from(steps)), who)

    @precondition(is_open)
    @rule()
    def meet_fate(self):
        """End the show for the reason of this life."""
        model = self.show.model
        match self.fate:
            case EndReason.HOST | EndReason.MODERATOR:
                self.taken("end", "host" if self.fate == EndReason.HOST else "staff")
            case EndReason.FAILURE:
                self.taken("fail", "system")
            case _:
                if (model.state == "paused") != (self.fate == EndReason.PAUSED_TOO_LONG) and self.is_live():
                    self.go_on()
                if self.fate == EndReason.HOST_LOST and model.host_lost_at is None:
                    self.media(False)
                self.time_passes("too long")
        assert model.end_reason == self.fate

    @precondition(lambda self: self.show.model.state == "error")
    @rule(who=st.sampled_from(["host", "staff"]))
    def put_away(self, who):
        self.taken("end", who)

    @precondition(lambda self: self.is_open() and self.fate != EndReason.HOST_NEVER_CAME)
    @rule(seen=st.booleans())
    def media(self, seen):
        """Report the host's media as arriving or gone."""
        show = self.show
        show.pass_time()
        news = show.model.host_seen() if seen else show.model.host_lost()
        with show.hearing() as heard:
            (host_seen if seen else host_lost)(session_id=show.session.pk, at=show.model.now)
        assert [event["type"] for event in heard] == (["host.back" if seen else "host.lost"] if news else [])

    @precondition(lambda self: self.show.model.deadline() is not None)
    @rule(wait=st.sampled_from(["a little", "until the last moment"]))
    def time_passes(self, wait):
        """Run the sweep: it ends what has timed out, and nothing a moment sooner."""
        show = self.show
        moment, reason = show.model.deadline()
        left = max((moment - show.model.now).total_seconds(), 0)
        show.pass_time({"a little": left / 3, "until the last moment": left, "too long": left + 1}[wait])
        before = show.model.state
        ends = show.model.now > moment
        if ends:
            show.model.take("end", reason)
        with show.hearing() as heard:
            assert sessions_expire(now=show.model.now) == ends
        self.told(before, heard, moved=ends)
        self.reach.note(f"left for {wait}".replace(" ", "_"))

    @precondition(lambda self: self.show.model.over)
    @rule(fate=st.sampled_from(EndReason))
    def another_life(self, fate):
        self.show.undo()
        self.begin(fate)

    @invariant()
    def the_row_is_the_model(self):
        model, row = self.show.model, StreamSession.objects.get(pk=self.show.session.pk)
        names = ("state", "end_reason", "started_at", "paused_at", "ended_at", "host_lease_at", "host_lost_at")
        assert {name: getattr(row, name) for name in names} == {name: getattr(model, name) for name in names}
        assert row.version == len(model.moves)
        moves = SessionTransition.objects.filter(session=row, version__gt=0).order_by("version")
        assert [(move.from_state, move.to_state, move.reason) for move in moves] == model.moves
        events = SessionEvent.objects.filter(session=row, type="session.changed").order_by("seq")
        assert [event.data["session"]["state"] for event in events] == [after for _, after, _ in model.moves]
        self.reach.note(row.state, row.end_reason)

    @invariant()
    def an_end_leaves_nothing_behind(self):
        session = self.show.session
        unexpired = IssuedToken.objects.filter(session=session, expires_at__gt=self.show.model.now)
        here = Participant.objects.filter(session=session, status="active").count()
        waiting = GuestRequest.objects.filter(session=session, status="pending").count()
        good = unexpired.filter(revoked_at__isnull=True).count()
        if self.is_open():
            assert (here, waiting, good) == (3, self.waiting, unexpired.count())
            return
        assert (here, waiting, good) == (0, 0, 0)
        row = StreamSession.objects.get(pk=session.pk)
        assert (row.viewer_count, row.guest_count, row.stage_slots) == (0, 0, {})
        if not self.node.closed:  # the call may be left to the janitor
            with self.show.clock():
                janitor_tick("tests")
        assert f"/rooms/{session.pk}" in self.node.closed


@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_property_14_a_session_lives_by_the_table_and_leaves_nothing_behind(node):
    """Feature: streaming-realtime-fixes, Property 14: session lifecycle."""
    Lifecycle.show, Lifecycle.node, Lifecycle.reach = show, _, _ = Show(), node, Reach()
    with show.clock():
        for who, role in (("host", "publisher"), ("guest", "publisher"), ("viewer", "subscriber")):
            media_token_issue(session_id=show.session.pk, actor=show.actors[who], role=MediaRole(role))

    run_state_machine_as_test(Lifecycle, settings=machine_settings(steps=8))

    Lifecycle.reach.require(start=60, pause=40, resume=25, end=25, fail=5, left_for_until_the_last_moment=5)
    Lifecycle.reach.require(refused_while_ended=40, refused_while_error=3, refused_while_paused=1, held_while_active=3)
    Lifecycle.reach.require(**dict.fromkeys(EndReason.values, 5))


@pytest.fixture
def node(settings):
    """A media node that records the rooms it was asked to close."""
    made = FakeNode()
    settings.MEDIA_URL_INTERNAL = made.url
    yield made
    made.stop()
