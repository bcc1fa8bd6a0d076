import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from accounts.people import moderators_group_ensure
from chat.models import ChatMessage
from streams.models import AuditEntry, SessionEvent, SessionTransition, StreamSession
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
