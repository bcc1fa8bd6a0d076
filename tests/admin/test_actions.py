from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from accounts.demo_accounts import moderators_group_ensure
from chat.models import ChatMessage
from streams.models import (
    AuditEntry,
    GuestRequest,
    Participant,
    SessionEvent,
    SessionTransition,
    StreamSession,
)
from tests.admin.rows import message_in, session_of

pytestmark = pytest.mark.django_db(transaction=True)
SESSIONS = "/admin/streams/streamsession/"
MESSAGES = "/admin/chat/chatmessage/"


def act(client, address, action, *rows):
    return client.post(address, {"action": action, "_selected_action": [str(row.pk) for row in rows]})


def said(answer):
    return [(message.level_tag, str(message)) for message in get_messages(answer.wsgi_request)]


def test_a_moderator_ends_the_selected_sessions(as_moderator, ben, mo):
    first, second, other = (session_of(ben, title=title) for title in ("One", "Two", "Three"))

    answer = act(as_moderator, SESSIONS, "end_sessions", first, second)

    states = dict(StreamSession.objects.values_list("title", "state"))
    assert states == {"One": "ended", "Two": "ended", "Three": "active"}
    moves = SessionTransition.objects.order_by("session__title").values_list("to_state", "reason", "actor__username")
    assert list(moves) == [("ended", "moderator", "mo")] * 2
    assert said(answer) == [("success", "Sessions ended: 2.")]
    assert other.pk


def test_ending_a_session_that_is_over_changes_nothing(as_moderator, ben):
    session = session_of(ben)
    act(as_moderator, SESSIONS, "end_sessions", session)
    before = StreamSession.objects.values().get()

    act(as_moderator, SESSIONS, "end_sessions", session)

    assert StreamSession.objects.values().get() == before
    assert SessionTransition.objects.count() == 1


def test_a_moderator_removes_the_selected_messages(as_moderator, ben, mo):
    session = session_of(ben)
    rude, fine = message_in(session, ben, seq=1, content="rude"), message_in(session, ben, seq=2)
    StreamSession.objects.update(head_seq=2)

    answer = act(as_moderator, MESSAGES, "remove_messages", rude)

    kept = ChatMessage.objects.order_by("seq").values_list("content", "removed_by__username")
    assert list(kept) == [("rude", "mo"), ("hello", None)]
    assert list(AuditEntry.objects.values_list("action", "actor__username")) == [("chat.remove", "mo")]
    assert SessionEvent.objects.get().data == {"id": str(rude.pk), "seq_removed": 1, "by": str(mo.pk)}
    assert said(answer) == [("success", "Messages removed: 1.")]
    assert fine.pk


def test_staff_without_the_right_has_no_actions(client, ben, mo):
    session = session_of(ben)
    message = message_in(session, ben)
    group = moderators_group_ensure()
    group.permissions.remove(*group.permissions.filter(codename__startswith="change_"))
    client.force_login(mo)

    act(client, SESSIONS, "end_sessions", session)
    act(client, MESSAGES, "remove_messages", message)

    session.refresh_from_db()
    message.refresh_from_db()
    assert session.state == "active"
    assert message.removed_at is None
    assert client.get(SESSIONS).status_code == 200


def test_a_title_is_put_right_and_the_room_is_told(as_moderator, ben):
    session = session_of(ben, title="Rude", description="same")
    address = reverse("admin:streams_streamsession_change", args=[session.pk])
    empty = {
        f"{prefix}-{name}": "0"
        for prefix in ("settings", "transitions", "moderators")
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }

    answer = as_moderator.post(
        address, {"title": "Polite", "description": "same", "state": "ended", "viewer_count": "9", **empty}
    )

    session.refresh_from_db()
    event = SessionEvent.objects.get()
    assert answer.status_code == 302
    assert (session.title, session.state, session.viewer_count) == ("Polite", "active", 0)
    assert (event.type, event.data["changed"]) == ("settings.changed", ["title"])


def test_saving_without_a_change_tells_nobody(as_moderator, ben):
    session = session_of(ben, title="Same", description="same")
    address = reverse("admin:streams_streamsession_change", args=[session.pk])

    as_moderator.post(address, {"title": "Same", "description": "same"})

    assert not SessionEvent.objects.exists()


PARTICIPANTS = "/admin/streams/participant/"
REQUESTS = "/admin/streams/guestrequest/"


def in_show(session, user, role="viewer"):
    return Participant.objects.create(session=session, user=user, role=role, joined_at=session.created_at)


def test_a_moderator_takes_people_off_the_stage_removes_and_bans_them(as_moderator, ada, ben, mo):
    session = session_of(ada)
    in_show(session, ada, role="host")
    guest = in_show(session, ben, role="guest")

    off = act(as_moderator, PARTICIPANTS, "remove_from_stage", guest)
    again = act(as_moderator, PARTICIPANTS, "remove_from_stage", guest)
    removed = act(as_moderator, PARTICIPANTS, "remove_from_show", guest)
    banned = act(as_moderator, PARTICIPANTS, "ban_from_show", guest)
    guest.refresh_from_db()
    assert (guest.role, guest.status) == ("viewer", "banned")
    back = act(as_moderator, PARTICIPANTS, "let_back_in", guest)

    assert said(off) == [("success", "People removed from the stage: 1.")]
    assert said(again)[-1] == ("error", "ben: That person isn't on stage.")
    assert said(removed)[-1] == ("success", "People removed: 1.")
    assert said(banned)[-1] == ("success", "People banned: 1.")
    assert said(back)[-1] == ("success", "People let back in: 1.")
    guest.refresh_from_db()
    assert (guest.role, guest.status) == ("viewer", "left")
    actions = AuditEntry.objects.order_by("id").values_list("action", "actor__username", "target_user__username")
    assert list(actions) == [
        ("stage.remove", "mo", "ben"),
        ("stage.kick", "mo", "ben"),
        ("stage.ban", "mo", "ben"),
        ("stage.readmit", "mo", "ben"),
    ]


def test_nobody_removes_a_host_in_the_admin_either(as_moderator, ada):
    session = session_of(ada)
    host = in_show(session, ada, role="host")

    answer = act(as_moderator, PARTICIPANTS, "remove_from_show", host)

    assert said(answer) == [("error", "ada: You can't do that to the host.")]
    host.refresh_from_db()
    assert host.status == "active"


def test_a_moderator_declines_what_waits(as_moderator, ada, ben):
    session = session_of(ada)
    in_show(session, ben)
    guest_request = GuestRequest.objects.create(
        session=session, user=ben, created_at=session.created_at, expires_at=timezone.now() + timedelta(minutes=5)
    )

    answers = [act(as_moderator, REQUESTS, "decline_requests", guest_request) for _ in range(2)]

    assert said(answers[0])[0] == ("success", "Requests declined: 1.")
    guest_request.refresh_from_db()
    assert (guest_request.status, guest_request.responder.username) == ("rejected", "mo")
    assert AuditEntry.objects.filter(action="stage.reject").count() == 1


def test_a_moderator_says_that_a_session_failed(as_moderator, ada):
    session = session_of(ada)

    answer = act(as_moderator, SESSIONS, "fail_sessions", session)

    session.refresh_from_db()
    assert (session.state, session.end_reason) == ("error", "failure")
    assert said(answer) == [("success", "Sessions marked as failed: 1.")]


def test_a_buyer_does_none_of_it(as_buyer, ada, cleo):
    guest = in_show(session_of(ada), cleo, role="guest")

    for action in ("remove_from_stage", "remove_from_show", "ban_from_show", "let_back_in"):
        assert act(as_buyer, PARTICIPANTS, action, guest).status_code == 302
    guest.refresh_from_db()
    assert (guest.role, guest.status) == ("guest", "active")


def test_a_moderator_ends_a_show_from_its_page_after_being_asked(as_moderator, ben, mo):
    session = session_of(ben)
    page, end = f"{SESSIONS}{session.pk}/change/", f"{SESSIONS}{session.pk}/end/"

    assert end in as_moderator.get(page).content.decode()
    asked = as_moderator.get(end)
    assert (asked.status_code, StreamSession.objects.get().state) == (200, "active")
    answer = as_moderator.post(end)

    assert (answer.status_code, answer["Location"]) == (302, page)
    assert said(answer) == [("success", "The show has ended.")]
    move = SessionTransition.objects.get()
    assert (move.to_state, move.reason, move.actor) == ("ended", "moderator", mo)
    assert end not in as_moderator.get(page).content.decode()
    assert said(as_moderator.post(end)) == [("warning", "This show has ended.")]
    assert SessionTransition.objects.count() == 1


def test_who_may_not_end_a_show_is_not_asked(as_moderator, as_buyer, mo, ben):
    session = session_of(ben)
    end = f"{SESSIONS}{session.pk}/end/"
    group = moderators_group_ensure()
    group.permissions.remove(*group.permissions.filter(codename="change_streamsession"))

    assert "end-show" not in as_moderator.get(f"{SESSIONS}{session.pk}/change/").content.decode()
    for ask in (as_moderator.get, as_moderator.post):
        assert ask(end).status_code == 403
    assert as_buyer.post(end).status_code == 302
    assert as_moderator.get(f"{SESSIONS}{uuid4()}/end/").status_code == 403
    assert StreamSession.objects.get().state == "active"


def selectable(client, address):
    return client.get(address).content.decode().count('class="action-select"')


def test_only_rows_with_which_something_can_be_done_can_be_selected(as_moderator, ben, mo):
    on, over = session_of(ben), session_of(ben, title="Over", state="ended", ended_at=timezone.now())
    for session in (on, over):
        Participant.objects.create(session=session, user=mo, joined_at=timezone.now())
        message_in(session, ben, seq=1)
    ChatMessage.objects.filter(session=over).update(removed_at=timezone.now())
    guest_request = {"message": "", "created_at": timezone.now(), "expires_at": timezone.now()}
    for status, session in (("pending", on), ("expired", over)):
        GuestRequest.objects.create(session=session, user=mo, status=status, **guest_request)

    for address in (SESSIONS, MESSAGES, "/admin/streams/participant/", "/admin/streams/guestrequest/"):
        assert selectable(as_moderator, address) == 1
    assert selectable(as_moderator, f"{SESSIONS}?state__exact=ended") == 0
