"""The life of a session: permitted steps, their effects, and races."""

import pytest

from livestream.actors import SYSTEM, actor_of
from livestream.errors import Conflict
from streams.models import AuditEntry, Participant, Role, SessionEvent, SessionTransition, StreamSession
from streams.payloads import session_payload
from streams.services.show import sessions
from streams.services.show.sessions import session_end, session_fail, session_pause, session_resume, session_start
from streams.state import ALLOWED, EndReason, SessionState, can_move
from tests.cast import let_in, make_show, make_user
from tests.threads import at_once

STEPS = {"start": session_start, "pause": session_pause, "resume": session_resume, "end": session_end}

# The result of the host's step in each state; None is refused.
AFTER = {
    ("initializing", "start"): "active",
    ("initializing", "pause"): None,
    ("initializing", "resume"): None,
    ("initializing", "end"): "ended",
    ("active", "start"): "active",
    ("active", "pause"): "paused",
    ("active", "resume"): "active",
    ("active", "end"): "ended",
    ("paused", "start"): None,
    ("paused", "pause"): "paused",
    ("paused", "resume"): "active",
    ("paused", "end"): "ended",
    ("ended", "start"): None,
    ("ended", "pause"): None,
    ("ended", "resume"): None,
    ("ended", "end"): "ended",
    ("error", "start"): None,
    ("error", "pause"): None,
    ("error", "resume"): None,
    ("error", "end"): "ended",
}
CELLS = [(state, step) for state in SessionState.values for step in STEPS]


def traces(session):
    """Count the rows of each kind of trace."""
    return (
        SessionTransition.objects.filter(session=session).count(),
        SessionEvent.objects.filter(session=session).count(),
        AuditEntry.objects.filter(session=session).count(),
        StreamSession.objects.values_list("version", "head_seq").get(pk=session.pk),
    )


@pytest.mark.parametrize(("state", "step"), CELLS)
def test_the_host_takes_each_step_where_the_table_allows_it(api, ada, state, step):
    session = make_show(ada, state=state)
    before = traces(session)

    answer = api(ada).post(f"/api/v1/sessions/{session.pk}/{step}/")

    wanted = AFTER[state, step]
    session.refresh_from_db()
    if wanted is None:
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "session.illegal_transition"
        assert (session.state, traces(session)) == (state, before)
    elif wanted == state:
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert traces(session) == before
    else:
        transitions, events, audits, (version, head_seq) = before
        assert (answer.status_code, answer.json()["state"], session.state) == (200, wanted, wanted)
        assert answer.json()["version"] == version + 1
        assert traces(session) == (transitions + 1, events + 1, audits + 1, (version + 1, head_seq + 1))


WHO = {
    "mo": (403, "session.not_host"),
    "cohost": (403, "session.not_host"),
    "guest": (403, "session.not_host"),
    "ben": (403, "session.not_host"),
    "stranger": (403, "session.not_host"),
    "banned": (403, "session.banned"),
    "nobody": (401, "not_authenticated"),
}


@pytest.mark.parametrize("who", WHO)
def test_nobody_else_takes_a_step_but_the_staff_ending_it(api, ada, mo, who):
    session = make_show(ada, state="initializing")
    people = {"mo": mo, "nobody": None, "stranger": make_user("eve")}
    for name, role, status in (
        ("cohost", Role.COHOST, "active"),
        ("guest", Role.GUEST, "active"),
        ("ben", Role.VIEWER, "active"),
        ("banned", Role.VIEWER, "banned"),
    ):
        people[name] = make_user(name)
        let_in(session, people[name], role=role, status=status)
    client = api(people[who])

    for state, step in CELLS:
        StreamSession.objects.filter(pk=session.pk).update(
            state=state, started_at=session.created_at, ended_at=session.created_at
        )
        before = traces(session)

        answer = client.post(f"/api/v1/sessions/{session.pk}/{step}/")

        session.refresh_from_db()
        if who == "mo" and step == "end":
            assert (answer.status_code, session.state) == (200, "ended"), state
        else:
            assert (answer.status_code, answer.json()["error"]["code"]) == WHO[who], (state, step)
            assert (session.state, traces(session)) == (state, before), (state, step)


@pytest.mark.parametrize("step", STEPS)
def test_a_private_session_is_missing_for_strangers_whatever_they_try(api, ada, eve, step):
    session = make_show(ada, state="initializing", visibility="private")

    answer = api(eve).post(f"/api/v1/sessions/{session.pk}/{step}/")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "session.missing")
    session.refresh_from_db()
    assert session.state == "initializing"


def test_the_whole_life_is_written_down_in_order(ada):
    actor = actor_of(ada)
    session = make_show(ada)
    session_pause(session_id=session.pk, actor=actor)
    session_resume(session_id=session.pk, actor=actor)
    session_end(session_id=session.pk, actor=actor)

    rows = SessionTransition.objects.filter(session=session).order_by("version")

    assert [(row.version, row.from_state, row.to_state, row.reason, row.actor_id) for row in rows] == [
        (0, "", "initializing", "", ada.pk),
        (1, "initializing", "active", "", ada.pk),
        (2, "active", "paused", "", ada.pk),
        (3, "paused", "active", "", ada.pk),
        (4, "active", "ended", "host", ada.pk),
    ]
    assert list(SessionEvent.objects.filter(session=session).values_list("seq", "type")) == [
        (number, "session.changed") for number in (1, 2, 3, 4)
    ]


def test_a_step_publishes_the_new_state_with_its_seq(ada, published):
    session = make_show(ada, state="initializing")

    with published(session) as documents:
        started = session_start(session_id=session.pk, actor=actor_of(ada))

    event = SessionEvent.objects.get(session=session)
    assert documents == [
        {
            "type": "session.changed",
            "seq": 1,
            "ts": documents[0]["ts"],
            "data": {
                "session": session_payload(started, now=event.created_at),
                "previous": "initializing",
                "reason": None,
            },
        }
    ]
    assert documents[0]["data"] == event.data


def test_a_repeated_step_publishes_nothing(ada, published):
    session = make_show(ada)

    with published(session) as documents:
        session_start(session_id=session.pk, actor=actor_of(ada))

    assert documents == []


def test_an_end_publishes_and_then_has_the_sockets_closed(ada, published):
    session = make_show(ada)

    with published(session) as documents:
        session_end(session_id=session.pk, actor=actor_of(ada))

    assert [(document["type"], document.get("code")) for document in documents] == [
        ("session.changed", None),
        ("close", 4410),
    ]


def test_an_end_lets_everybody_go_and_empties_the_counts(ada, ben):
    session = make_show(ada)
    let_in(session, ben)
    StreamSession.objects.filter(pk=session.pk).update(viewer_count=3, peak_viewers=5, guest_count=1)

    ended = session_end(session_id=session.pk, actor=actor_of(ada))

    assert (ended.viewer_count, ended.peak_viewers, ended.guest_count) == (0, 5, 0)
    assert set(Participant.objects.filter(session=session).values_list("status", flat=True)) == {"left"}
    assert ended.ended_at is not None


def test_an_end_by_the_staff_is_written_down_as_theirs(ada, mo):
    session = make_show(ada)

    ended = session_end(session_id=session.pk, actor=actor_of(mo))

    assert ended.end_reason == "moderator"
    assert SessionTransition.objects.get(session=session, to_state="ended").actor_id == mo.pk


def test_a_failure_ends_a_session_as_failed(ada):
    session = session_fail(session_id=make_show(ada).pk, actor=SYSTEM)

    assert (session.state, session.end_reason) == ("error", "failure")
    with pytest.raises(Conflict, match="illegal_transition"):
        session_start(session_id=session.pk, actor=actor_of(ada))


def test_a_failed_session_that_is_ended_keeps_why_and_when_it_failed(ada):
    failed = make_show(ada, state="error")

    ended = session_end(session_id=failed.pk, actor=actor_of(ada))

    assert (ended.state, ended.ended_at) == ("ended", failed.ended_at)


def test_a_pause_keeps_the_start_and_a_resume_forgets_the_pause(ada):
    session = make_show(ada, state="paused")

    assert session.paused_at is not None
    resumed = session_resume(session_id=session.pk, actor=actor_of(ada))

    assert (resumed.started_at, resumed.paused_at) == (session.started_at, None)


def test_the_grace_of_a_lost_host_counts_anew_after_a_pause(ada):
    session = make_show(ada, state="paused")
    long_ago = session.created_at.replace(year=2020)
    StreamSession.objects.filter(pk=session.pk).update(host_lost_at=long_ago, host_lease_at=long_ago)

    resumed = session_resume(session_id=session.pk, actor=actor_of(ada))

    assert resumed.host_lost_at > session.created_at


# The whole table, as docs/architecture.md describes it: a session starts, pauses and resumes; each open session may end
# or fail; a failed one can only be ended; an ended one stays ended.
TABLE = """
              initializing  active  paused  ended  error
initializing       -          x       -       x      x
active             -          -       x       x      x
paused             -          x       -       x      x
ended              -          -       -       -      -
error              -          -       -       x      -
"""
COLUMNS, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
MOVES = {(row[0], to): mark == "x" for row in ROWS for to, mark in zip(COLUMNS, row[1:], strict=True)}


def test_the_table_names_every_state():
    assert list(MOVES) == [(current, to) for current in SessionState.values for to in SessionState.values]
    assert set(ALLOWED) == set(SessionState)


@pytest.mark.parametrize(("current", "to"), MOVES)
def test_every_move_is_allowed_or_refused_as_the_table_says(current, to):
    assert can_move(current=SessionState(current), to=SessionState(to)) is MOVES[current, to]


@pytest.mark.parametrize("state", ["initializing", "active", "paused"])
def test_every_open_session_can_fail(ada, state):
    session = make_show(ada, state=state)

    failed = session_fail(session_id=session.pk, actor=SYSTEM)

    assert (failed.state, failed.end_reason, failed.version) == ("error", "failure", session.version + 1)
    assert SessionTransition.objects.filter(session=session, from_state=state, to_state="error").count() == 1


def test_an_ended_session_cannot_fail(ada):
    session = make_show(ada, state="ended")

    with pytest.raises(Conflict, match="illegal_transition"):
        session_fail(session_id=session.pk, actor=SYSTEM)

    session.refresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "host")


def test_a_step_from_a_stale_row_of_the_same_state_reads_the_session_again(ada, monkeypatch):
    """Between reading and writing, the show is resumed, loses its host and is paused again."""
    session = make_show(ada, state="paused")
    read, reads = sessions.session_get, []

    def read_and_be_overtaken(session_id):
        reads.append(read(session_id))
        if len(reads) == 1:
            monkeypatch.setattr(sessions, "session_get", read)
            session_resume(session_id=session_id, actor=actor_of(ada))
            long_ago = session.created_at.replace(year=2020)
            StreamSession.objects.filter(pk=session_id).update(host_lost_at=long_ago, host_lease_at=long_ago)
            session_pause(session_id=session_id, actor=actor_of(ada))
        return reads[-1]

    monkeypatch.setattr(sessions, "session_get", read_and_be_overtaken)
    resumed = session_resume(session_id=session.pk, actor=actor_of(ada))

    assert (resumed.state, resumed.version) == ("active", session.version + 3)
    assert resumed.host_lost_at > session.created_at, "the grace counts anew; the stale row knows of no lost host"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("state", "step"), [("initializing", "start"), ("active", "end")])
def test_of_many_at_the_same_moment_one_takes_the_step_and_all_see_it_taken(ada, state, step):
    session = make_show(ada, state=state)
    before = SessionTransition.objects.filter(session=session).count()

    results = at_once(20, lambda _: STEPS[step](session_id=session.pk, actor=actor_of(ada)).state)

    assert results == [AFTER[state, step]] * 20
    assert SessionTransition.objects.filter(session=session).count() == before + 1
    assert SessionEvent.objects.filter(session=session, data__session__state=AFTER[state, step]).count() == 1


@pytest.mark.django_db(transaction=True)
def test_steps_that_race_leave_an_unbroken_chain_of_moves(ada):
    session = make_show(ada)
    steps = [session_pause, session_resume, session_end, session_pause, session_resume] * 4

    results = at_once(len(steps), lambda index: steps[index](session_id=session.pk, actor=actor_of(ada)))

    assert all(isinstance(result, StreamSession | Conflict) for result in results), results
    rows = list(SessionTransition.objects.filter(session=session).order_by("version"))
    assert [row.version for row in rows] == list(range(len(rows)))
    assert [row.from_state for row in rows[1:]] == [row.to_state for row in rows[:-1]]
    session.refresh_from_db()
    assert (session.state, session.version) == ("ended", rows[-1].version)
    seqs = list(SessionEvent.objects.filter(session=session).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, session.head_seq + 1))


def test_every_end_reason_fits_its_column():
    longest = max(len(reason) for reason in EndReason.values)

    assert longest <= StreamSession._meta.get_field("end_reason").max_length
    assert longest <= SessionTransition._meta.get_field("reason").max_length
