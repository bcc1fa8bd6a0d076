"""The stage as a state machine: after any actions, in any order, it matches the plain rules."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from livestream.actors import actor_of
from livestream.errors import DomainError
from streams.models import GuestRequest, Participant
from streams.room_snapshot import RoomParts, room_load
from streams.selectors import session_get
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.people.viewers import viewer_join, viewer_leave
from streams.services.show.sessions import session_update
from streams.services.stage.guest_requests import (
    guest_request_approve,
    guest_request_make,
    guest_request_reject,
    own_request_cancel,
)
from streams.services.stage.invitations import guest_accept, guest_decline, guest_invite
from streams.services.stage.participation import (
    stage_demote,
    stage_leave,
    stage_media_set,
    stage_mute,
    stage_promote,
    stage_unseat,
)
from streams.services.stage.sweeps import guests_expire, requests_expire
from tests.cast import make_show, make_user
from tests.properties.machines import machine_settings
from tests.properties.rooms import ClientRoom

PEOPLE = 5
WHO = st.integers(0, PEOPLE - 1)
SEATED = ("guest", "cohost")
PARTS = RoomParts(sections={"messages": lambda session_id, head: []})


@dataclass
class Person:
    """A person's state by the rules. `request` is None, 'asked' or 'invited'."""

    status: str = "nobody"
    role: str = "viewer"
    request: str | None = None
    muted: bool = False

    @property
    def seated(self):
        return self.status == "active" and self.role in SEATED

    def sit(self):
        self.role, self.request, self.muted = "guest", None, False

    def stand(self):
        self.role, self.muted = "viewer", False


class StageMachine(RuleBasedStateMachine):
    """Services on one side, a handful of fields on the other; `client` only applies events."""

    @initialize(cap=st.integers(0, 3), approval=st.booleans())
    def begin(self, cap, approval):
        self.cap, self.approval = cap, approval
        self.host = make_user()
        self.users = [make_user() for _ in range(PEOPLE)]
        self.session = make_show(self.host, settings_changes={"max_guests": cap, "require_approval": approval})
        self.people = [Person() for _ in range(PEOPLE)]
        self.client = ClientRoom.of(self.snapshot())

    def snapshot(self):
        return room_load(self.session.pk, PARTS).common

    def did(self, service, **given):
        """Return the outcome of a service: 'ok' or the code."""
        try:
            service(session_id=self.session.pk, **given)
        except DomainError as error:
            return error.code
        return "ok"

    def by_host(self, service, who, **given):
        return self.did(service, actor=actor_of(self.host), user_id=self.users[who].pk, **given)

    def seats(self):
        return sum(person.seated for person in self.people)

    def free(self):
        return self.seats() < self.cap

    def door(self, person):
        return f"session.{person.status}" if person.status in ("kicked", "banned") else None

    def request_of(self, who):
        rows = GuestRequest.objects.filter(session=self.session, user=self.users[who]).order_by("-created_at")
        return rows.values_list("pk", flat=True).first()

    @rule(who=WHO)
    def join(self, who):
        person = self.people[who]
        code = self.did(viewer_join, actor=actor_of(self.users[who]))
        assert code == (self.door(person) or "ok")
        if code == "ok":
            person.status = "active"

    @rule(who=WHO)
    def leave(self, who):
        person = self.people[who]
        assert self.did(viewer_leave, actor=actor_of(self.users[who])) == (self.door(person) or "ok")
        if person.status == "active":
            person.stand()
            person.status, person.request = "left", None

    @rule(who=WHO)
    def ask(self, who):
        person = self.people[who]
        code = self.did(guest_request_make, actor=actor_of(self.users[who]))
        if code == "request.cooldown":
            GuestRequest.objects.update(answered_at=timezone.now() - timedelta(hours=1))
            return
        if self.door(person):
            wanted = self.door(person)
        elif self.cap == 0:
            wanted = "stage.closed"
        elif person.seated:
            wanted = "stage.on_stage_already"
        elif not self.approval and person.request is None and not self.free():
            wanted = "stage.full"
        else:
            wanted = "ok"
        assert code == wanted
        if code == "ok":
            person.status = "active"
            if person.request is None:
                person.request = "asked"
                if not self.approval:
                    person.sit()

    @rule(who=WHO, answer=st.sampled_from(["approve", "reject"]))
    def answer(self, who, answer):
        person, request = self.people[who], self.request_of(who)
        if request is None or person.request != "asked":
            return
        service = guest_request_approve if answer == "approve" else guest_request_reject
        code = self.did(service, actor=actor_of(self.host), request_id=request)
        if answer == "reject":
            assert code == "ok"
            person.request = None
        else:
            assert code == ("ok" if self.free() else "stage.full")
            if code == "ok":
                person.sit()

    @rule(who=WHO)
    def cancel(self, who):
        person = self.people[who]
        if person.request == "asked":
            assert self.did(own_request_cancel, actor=actor_of(self.users[who])) == "ok"
            person.request = None

    @rule(who=WHO)
    def invite(self, who):
        person = self.people[who]
        code = self.by_host(guest_invite, who)
        wanted = "ok"
        if self.cap == 0:
            wanted = "stage.closed"
        elif person.status == "nobody":
            wanted = "participant.missing"
        elif person.status == "banned":
            wanted = "stage.not_allowed"
        elif person.status == "left":
            wanted = "stage.not_here"
        elif person.seated:
            wanted = "stage.on_stage_already"
        elif person.request == "asked":
            wanted = "request.pending"
        assert code == wanted
        if code == "ok":
            person.request = "invited"
            if person.status == "kicked":
                person.status = "left"

    @rule(who=WHO, yes=st.booleans())
    def respond(self, who, yes):
        person, request = self.people[who], self.request_of(who)
        if person.request != "invited":
            return
        code = self.did(guest_accept if yes else guest_decline, actor=actor_of(self.users[who]), request_id=request)
        assert code == ("ok" if not yes or self.free() else "stage.full")
        if code == "ok":
            person.request = None
            if yes:
                person.status = "active"
                person.sit()

    @rule(who=WHO)
    def promote(self, who):
        person = self.people[who]
        code = self.by_host(stage_promote, who)
        if person.status == "nobody":
            assert code == "participant.missing"
        elif person.seated:
            assert code == ("ok" if person.role == "guest" else "stage.on_stage_already")
            person.role = "cohost"
        elif self.cap == 0:
            assert code == "stage.closed"
        elif person.status != "active":
            assert code == "stage.not_here"
        else:
            assert code == ("ok" if self.free() else "stage.full")
            if code == "ok":
                person.sit()

    @rule(who=WHO, how=st.sampled_from(["demote", "remove", "leave"]))
    def step_down(self, who, how):
        person = self.people[who]
        if how == "leave":
            code = self.did(stage_leave, actor=actor_of(self.users[who]))
        else:
            code = self.by_host(stage_demote if how == "demote" else stage_unseat, who)
        if not person.seated:
            missing = person.status == "nobody" and how != "leave"
            refusal = "participant.missing" if missing else "stage.not_on_stage"
            assert code == ((self.door(person) if how == "leave" else None) or refusal)
        elif how == "demote" and person.role == "cohost":
            assert code == "ok"
            person.role = "guest"
        else:
            assert code == "ok"
            person.stand()

    @rule(who=WHO, service=st.sampled_from([participant_kick, participant_ban]))
    def remove(self, who, service):
        person = self.people[who]
        code = self.by_host(service, who)
        assert code == ("participant.missing" if person.status == "nobody" else "ok")
        if code == "ok" and person.status != "banned":
            person.stand()
            person.request = None
            person.status = "kicked" if service is participant_kick else "banned"

    @rule(who=WHO, by_host=st.booleans(), on=st.booleans())
    def microphone(self, who, by_host, on):
        person = self.people[who]
        if not person.seated:
            return
        if by_host:
            assert self.by_host(stage_mute, who, kind="audio") == "ok"
            person.muted = True
        else:
            assert self.did(stage_media_set, actor=actor_of(self.users[who]), audio=on) == "ok"
            person.muted = not on

    @rule(cap=st.integers(0, 3))
    def turn_the_cap(self, cap):
        self.did(session_update, actor=actor_of(self.host), changes={}, settings_changes={"max_guests": cap})
        self.cap = cap

    @rule()
    def time_passes(self):
        """All requests and invitations expire, and every guest's media stays away: the machine's people have no
        cameras."""
        later = timezone.now() + timedelta(hours=1)
        requests_expire(now=later)
        guests_expire(now=later)
        for person in self.people:
            person.request = None
            if person.seated:
                person.stand()

    @invariant()
    def the_stage_is_what_the_rules_say(self):
        rows = {row.user_id: row for row in Participant.objects.filter(session=self.session)}
        for user, person in zip(self.users, self.people, strict=True):
            row = rows.get(user.pk)
            if person.status == "nobody":
                assert row is None
                continue
            assert (row.status, row.role, row.audio_muted) == (person.status, person.role, person.muted)
            pending = GuestRequest.objects.filter(session=self.session, user=user, status="pending").first()
            request = pending and ("invited" if pending.invited_by_id else "asked")
            assert request == person.request

    @invariant()
    def number_rows_snapshot_and_events_agree(self):
        for event in PARTS.events(self.session.pk, self.client.seq, session_get(self.session.pk).head_seq):
            self.client.apply(event)
        snapshot = self.snapshot()
        assert self.client.shown() == ClientRoom.of(snapshot).shown()
        on_stage = [row for row in snapshot["participants"] if row["role"] != "host"]
        assert snapshot["session"]["guest_count"] == len(on_stage) == self.seats() <= 20


@pytest.mark.django_db
def test_whatever_people_do_the_stage_is_what_the_rules_say(monkeypatch):
    monkeypatch.setattr("streams.services.stage.guest_requests.ASKED_PER_MINUTE", 1_000_000)
    run_state_machine_as_test(StageMachine, settings=machine_settings(steps=15))
