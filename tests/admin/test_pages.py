import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from chat.models import ChatMessage
from streams.audit_labels import ACTIONS
from streams.models import (
    AuditEntry,
    GuestRequest,
    Participant,
    SessionModerator,
    SessionTransition,
    StreamSession,
)
from streams.state import SessionState
from tests.admin.rows import CANARY, NOW, make_rows

pytestmark = pytest.mark.django_db
OURS = ("livestream", "accounts", "streams", "chat", "tokens")
MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in (*OURS, "auth")),
    key=lambda model: model._meta.label_lower,
)
# Rights, money and credentials are for administrators only.
ADMINISTRATORS_ONLY = {
    "auth.group",
    "chat.readmarker",
    "livestream.outboxtask",
    "streams.janitorlease",
    "streams.mediauid",
    "streams.providerdelivery",
    "streams.providerhealth",
    "streams.mediaresource",
    "streams.providerroom",
    "tokens.issuedtoken",
}
EDITABLE = ("streams.streamsession", "accounts.user", "auth.group")


def each(models):
    return pytest.mark.parametrize("model", models, ids=lambda model: model._meta.label_lower)


MODELS_OF_OURS = [model for model in MODELS if model._meta.app_label in OURS]
HISTORY = [model for model in MODELS if model._meta.label_lower not in EDITABLE]


def listing(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page(model, row):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])


def a_row(model):
    return model.objects.exclude(username="ada").first() if model is User else model.objects.first()


def queries(client, address):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_every_model_of_every_app_is_there():
    ours = {model for app in OURS for model in apps.get_app_config(app).get_models()}

    assert ours <= set(admin.site._registry)


def test_an_administrator_reads_every_list_and_page(as_admin):
    make_rows(0, 2)

    for model in MODELS:
        assert as_admin.get(listing(model)).status_code == 200
        assert as_admin.get(page(model, a_row(model))).status_code == 200


def test_a_moderator_reads_all_but_rights_money_and_credentials(as_moderator):
    make_rows(0, 2)

    for model in MODELS:
        expected = 403 if model._meta.label_lower in ADMINISTRATORS_ONLY else 200
        assert as_moderator.get(listing(model)).status_code == expected
        assert as_moderator.get(page(model, a_row(model))).status_code == expected


def test_a_buyer_is_sent_to_the_log_in_of_the_staff(as_buyer):
    make_rows(0, 1)

    for model in MODELS:
        for address in (listing(model), page(model, a_row(model))):
            answer = as_buyer.get(address)
            assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={address}")


def test_a_list_asks_the_database_as_often_for_three_rows_as_for_one(as_admin):
    def counted():
        return {model._meta.label: queries(as_admin, listing(model)) for model in MODELS}

    make_rows(0, 1)
    counted()
    for_one = counted()
    make_rows(1, 2)

    assert counted() == for_one


def test_a_sessions_page_asks_as_often_for_three_moves_and_moderators_as_for_one(as_moderator):
    make_rows(0, 1)
    session = StreamSession.objects.get()
    as_moderator.get(page(StreamSession, session))
    for_one = queries(as_moderator, page(StreamSession, session))
    for version in (2, 3):
        user = User.objects.create_user(f"helper{version}")
        SessionModerator.objects.create(session=session, user=user, created_at=NOW)
        SessionTransition.objects.create(
            session=session, version=version, to_state="paused", actor=user, created_at=NOW
        )

    assert queries(as_moderator, page(StreamSession, session)) == for_one


@pytest.mark.parametrize("address", ["/admin/", "/admin/streams/", "/admin/chat/"])
def test_a_moderator_finds_the_way(as_moderator, as_buyer, address):
    assert as_moderator.get(address).status_code == 200
    assert as_buyer.get(address).status_code == 302


def sections(client):
    return {
        section["name"]: [model["model"]._meta.label for model in section["models"]]
        for section in client.get("/admin/").context["app_list"]
    }


def test_the_first_page_begins_with_what_moderators_do_and_ends_with_the_inside(as_moderator):
    found = sections(as_moderator)

    assert list(found) == ["Moderation", "Shows", "Inside, read only"]
    assert found["Moderation"] == [
        "streams.StreamSession",
        "chat.ChatMessage",
        "streams.Participant",
        "streams.GuestRequest",
        "accounts.User",
        "streams.AuditEntry",
    ]
    assert found["Inside, read only"] == ["streams.SessionEvent", "streams.SessionTransition"]


def test_the_first_page_leaves_nothing_out_and_nobody_changes_the_inside(as_admin):
    found = sections(as_admin)
    shown = [label for labels in found.values() for label in labels]

    assert sorted(shown) == sorted(model._meta.label for model in admin.site._registry)
    inside = as_admin.get("/admin/").context["app_list"][-1]
    assert all(model["view_only"] for model in inside["models"])
    assert {"tokens.IssuedToken", "streams.JanitorLease"} <= set(found["Inside, read only"])


def test_an_apps_own_page_names_the_app(as_moderator):
    assert [app["name"] for app in as_moderator.get("/admin/chat/").context["app_list"]] == ["Chat"]


@each([ChatMessage, Participant, StreamSession, AuditEntry, GuestRequest])
def test_an_empty_list_that_people_fill_says_what_appears_there(as_admin, model):
    note = admin.site._registry[model].appears
    empty = as_admin.get(listing(model)).content.decode()
    make_rows(0, 1)

    assert note and note in empty
    assert "not-yet" not in empty
    assert note not in as_admin.get(listing(model)).content.decode()


def test_the_audit_speaks_in_words(as_moderator, mo):
    make_rows(0, 1)
    entry = AuditEntry.objects.get()
    entry.action, entry.details = "stage.mute", {"kind": "audio"}
    entry.save()
    AuditEntry.objects.create(
        action="session.ended", details={"from": "active", "reason": "moderator"}, session=entry.session, created_at=NOW
    )

    body = as_moderator.get(listing(AuditEntry)).content.decode()
    for words in ("Muted", "microphone", "Show ended", "from live; A moderator ended it"):
        assert words in body
    for code in ("stage.mute<", "{&#x27;", "session.ended<"):
        assert code not in body
    assert as_moderator.get(page(AuditEntry, entry)).context["subtitle"] == "Muted"


def test_the_audit_is_searched_by_its_words_and_names_whom_it_concerned(as_moderator, mo):
    make_rows(0, 2)
    one = AuditEntry.objects.all()[0]
    one.action, one.details = "stage.mute_all", {"kind": "audio", "people": [str(mo.pk)]}
    one.save()

    found = as_moderator.get(listing(AuditEntry), {"q": "muted everyone"}).context["cl"].result_list
    assert [entry.pk for entry in found] == [one.pk]
    assert "mo" in as_moderator.get(page(AuditEntry, one)).content.decode().split("People concerned")[1][:200]


def test_whatever_is_written_down_has_words():
    written = set()
    for path in (*Path("streams/services").rglob("*.py"), Path("chat/services.py")):
        text = path.read_text()
        written |= {f"stage.{name}" for name in re.findall(r"audit\(\s*\"(\w+)\"", text)}
        written |= set(re.findall(r"action=\"([a-z]+\.[a-z_]+)\"", text))
    written |= {f"session.{state}" for state in SessionState if state != SessionState.INITIALIZING}
    written |= {"stage.appoint", "stage.dismiss", "stage.kick", "stage.ban", "stage.remove"}

    assert len(written) >= 18
    assert written == set(ACTIONS)


@each([ChatMessage, Participant, User])
def test_what_is_not_so_is_shown_by_no_red_cross(as_moderator, model):
    make_rows(0, 2)

    assert "icon-no" not in as_moderator.get(listing(model)).content.decode()


def test_a_list_says_in_words_who_removed_what_is_off_and_who_somebody_is(as_moderator, mo):
    make_rows(0, 1)
    ChatMessage.objects.update(removed_by=mo)
    Participant.objects.update(audio_muted=True)
    User.objects.filter(username="viewer0").update(is_active=False)

    assert '<td class="field-removed">by mo</td>' in as_moderator.get(listing(ChatMessage)).content.decode()
    assert '<td class="field-muted">microphone</td>' in as_moderator.get(listing(Participant)).content.decode()
    people = as_moderator.get(listing(User)).content.decode()
    assert '<td class="field-standing">Staff</td>' in people
    assert '<td class="field-standing">Closed</td>' in people


def test_a_page_is_called_by_no_id(as_admin):
    make_rows(0, 1)

    for model in MODELS_OF_OURS:
        called = as_admin.get(page(model, a_row(model))).context["subtitle"]
        assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", called) is None


def test_a_filter_by_a_moment_has_words(as_moderator):
    make_rows(0, 1)
    first, *_ = as_moderator.get(listing(ChatMessage)).context["cl"].filter_specs

    choices = [choice["display"] for choice in first.choices(as_moderator.get(listing(ChatMessage)).context["cl"])]
    assert (first.title, choices) == ("removed", ["All", "No", "Yes"])
    removed = as_moderator.get(listing(ChatMessage), {"removed_at__isempty": "0"}).context["cl"].queryset
    assert removed.count() == 1


def test_every_list_can_be_searched(as_admin):
    make_rows(0, 1)

    for model in MODELS:
        row = a_row(model)

        for term in ("show", "ünï ' \" %", str(row.pk), "00000000-0000-0000-0000-000000000000"):
            assert as_admin.get(listing(model), {"q": term}).status_code == 200


def test_every_filter_of_a_list_works(as_admin):
    make_rows(0, 1)

    for model in MODELS:
        answer = as_admin.get(listing(model))

        choices = [
            choice["query_string"]
            for spec in answer.context["cl"].filter_specs
            for choice in spec.choices(answer.context["cl"])
        ]
        for query in choices:
            assert as_admin.get(listing(model) + query).status_code == 200


def test_nothing_is_added_or_deleted_by_hand(as_admin):
    make_rows(0, 1)

    for model in MODELS_OF_OURS:
        row = a_row(model)
        add = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
        delete = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_delete", args=[row.pk])

        assert as_admin.get(add).status_code == 403
        assert as_admin.post(delete, {"post": "yes"}).status_code == 403
        assert model.objects.filter(pk=row.pk).exists()


def test_a_page_of_history_cannot_be_posted_to(as_admin):
    make_rows(0, 1)

    for model in HISTORY:
        row = a_row(model)
        before = model.objects.filter(pk=row.pk).values().get()

        answer = as_admin.post(page(model, row), dict.fromkeys(before, "1"))

        assert answer.status_code == 403
        assert model.objects.filter(pk=row.pk).values().get() == before


def test_no_secret_and_no_hash_can_be_read(as_admin, ada):
    make_rows(0, 1)

    for model in MODELS:
        addresses = [listing(model), page(model, a_row(model))]
        if model is User:
            addresses.append(page(model, ada))

        for address in addresses:
            body = as_admin.get(address).content.decode()
            assert CANARY not in body
            assert ada.password not in body and ada.password.split("$")[-1][:6] not in body


def test_a_uuid_in_the_search_finds_the_row_and_what_hangs_on_it(as_moderator):
    make_rows(0, 2)
    session = StreamSession.objects.get(title="Show 1")

    sessions = as_moderator.get(listing(StreamSession), {"q": str(session.pk)}).context["cl"].queryset
    messages = as_moderator.get(listing(ChatMessage), {"q": f" {session.pk} "}).context["cl"].queryset
    assert list(sessions) == [session]
    assert list(messages) == list(session.messages.all())


def test_somebodys_text_is_only_text_in_a_list(as_moderator):
    make_rows(0, 1)
    attack = "<script>alert(1)</script>\u202e"
    ChatMessage.objects.update(content=attack, display_name=attack[:50])
    StreamSession.objects.update(title=attack)

    for model in (ChatMessage, StreamSession):
        body = as_moderator.get(listing(model)).content.decode()
        assert "<script>alert" not in body
        assert "&lt;script&gt;alert" in body
