"""Property 5 of the design: every view of a show agrees with the model, and with the messages to its room."""

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
from rest_framework.test import APIClient

from chat.models import ChatMessage
from chat.posting import message_post
from chat.services import message_remove
from livestream.errors import DomainError
from streams.models import SessionTransition
from streams.room_snapshot import room_load
from streams.selectors import session_get, sessions_visible_to
from streams.services.show.sessions import session_update
from streams.services.stage.participation import stage_promote, stage_unseat
from tests.properties.machines import machine_settings
from tests.properties.reach import Reach
from tests.properties.rooms import PARTS, ClientRoom
from tests.properties.show_life import LEADS_TO, Show

BEGINNINGS = {"live": ["start"], "paused": ["start", "pause"], "resumed": ["start", "pause", "resume"]}


class Consistency(RuleBasedStateMachine):
    """A live show with people in it. `client` starts from its first snapshot, and applies the published events."""

    show: Show
    reach: Reach

    @initialize(beginning=st.sampled_from(sorted(BEGINNINGS)), closing=st.sampled_from(["end", "fail"]))
    def begin(self, beginning, closing):
        self.closing = closing
        self.reach.begin()
        self.show.begin()
        self.client = self.snapshot()
        self.said = 0
        for step in BEGINNINGS[beginning]:
            self.move(step)

    def teardown(self):
        try:
            if not self.show.model.over:
                self.move(self.closing, "staff")
                self.every_view_has_the_state_of_the_model()
        finally:
            self.show.undo()
        self.reach.finish()

    def snapshot(self):
        return ClientRoom.of(room_load(self.show.session.pk, PARTS).common)

    def hear(self, heard):
        """Apply durable events, each the next one; closes are for sockets."""
        for document in heard:
            if document["type"] != "close":
                self.client.apply(document)

    def move(self, step, who="host"):
        outcome, heard = self.show.step(step, who)
        assert sum(event["type"] == "session.changed" for event in heard) == (outcome == "moved")
        self.hear(heard)
        self.reach.note(step if outcome == "moved" else outcome)
        if outcome == "moved":
            with self.show.clock():
                self.look_over_http()

    @precondition(lambda self: not self.show.model.over)
    @rule()
    def go_on(self):
        (step,) = set(self.show.model.possible()) - {"end", "fail"}
        self.move(step)

    @rule(step=st.sampled_from(sorted(LEADS_TO)), who=st.sampled_from(["host", "staff", "viewer", "anonymous"]))
    def try_to_move(self, step, who):
        self.move(step, who)

    @rule(what=st.sampled_from(["say", "remove", "title", "cap", "promote", "step down"]), which=st.integers(0, 20))
    def change_something_else(self, what, which):
        """Change something beside the state; done or refused, the room gets exactly the changes."""
        self.show.pass_time()
        actors, pk, client = self.show.actors, self.show.session.pk, f"c{self.said}"
        with self.show.hearing() as heard:
            try:
                match what:
                    case "say":
                        self.said += 1
                        message_post(session_id=pk, actor=actors["viewer"], text=f"text {which}", client_id=client)
                    case "remove":
                        for message in ChatMessage.objects.filter(session=pk)[:1]:
                            message_remove(message_id=message.pk, actor=actors["host"], session_id=pk)
                    case "title":
                        session_update(session_id=pk, actor=actors["host"], changes={"title": f"title {which}"})
                    case "cap":
                        cap = {"max_guests": which}
                        session_update(session_id=pk, actor=actors["host"], changes={}, settings_changes=cap)
                    case _:
                        change = stage_promote if what == "promote" else stage_unseat
                        change(session_id=pk, actor=actors["host"], user_id=self.show.viewer.pk)
            except DomainError:
                self.reach.note("refused")
            else:
                self.reach.note(what.replace(" ", "_"))
        self.hear(heard)

    @invariant()
    def every_view_has_the_state_of_the_model(self):
        model, pk = self.show.model, self.show.session.pk
        stored, listed = session_get(pk), sessions_visible_to(self.show.actors["viewer"]).get(pk=pk)
        with self.show.clock():
            snapshot = room_load(pk, PARTS).common
        assert {stored.state, listed.state, snapshot["session"]["state"], self.client.session["state"]} == {model.state}
        assert stored.version == len(model.moves) == snapshot["session"]["version"]
        assert stored.head_seq == snapshot["seq"] == self.client.seq
        # A client that heard everything shows what a new one shows.
        assert self.client.shown() == ClientRoom.of(snapshot).shown()
        self.reach.note(model.state)

    def look_over_http(self):
        """Check the same over HTTP, with the stored moves."""
        model = self.show.model
        answer = APIClient().get(f"/api/v1/sessions/{self.show.session.pk}/").json()
        assert (answer["state"], answer["version"]) == (model.state, len(model.moves))
        rows = SessionTransition.objects.filter(session=self.show.session, version__gt=0).order_by("version")
        assert [(row.from_state, row.to_state, row.reason) for row in rows] == model.moves


@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_property_05_every_view_of_a_session_has_the_state_of_the_model():
    """Feature: streaming-realtime-fixes, Property 05: state management consistency."""
    Consistency.show, Consistency.reach = Show(), Reach()

    run_state_machine_as_test(Consistency, settings=machine_settings(steps=6))

    Consistency.reach.require(active=50, paused=40, resume=30, ended=20, error=20, refused=5, denied=5)
    Consistency.reach.require(say=5, title=3, remove=3)
