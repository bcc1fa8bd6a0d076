"""The checker works: it detects every fault that is planted in clean logs."""

import copy
from dataclasses import replace

import pytest

from tests.faults.checker import FAIL, OK, UNKNOWN, Fault, Screen, Sent, Shown, Stored, Storm, Watched, check
from tests.faults.watch import bounds, why_late

COUNT = 30
REMOVED = 7


def clean() -> Storm:
    """Two senders, three viewers who joined at different times, one removed message, one fault."""
    sent: list[Sent] = []
    stored = [Stored(1, "session.changed", None)]
    for number in range(2, COUNT + 2):
        sender = f"sender-{number % 2}"
        sent.append(Sent(sender, f"c{number}", number - 0.5, OK, f"m{number}", number, number + 0.1))
        stored.append(Stored(number, "chat.message", f"m{number}", f"c{number}", sender, removed=number == REMOVED))
    stored.append(Stored(COUNT + 2, "chat.removed", f"m{REMOVED}"))
    watched = []
    for name, after in (("first", 0), ("second", 5), ("third", 20)):
        shown = [Shown(entry.seq, entry.type, entry.id, entry.seq + 0.2) for entry in stored[after:]]
        visible = {entry.id for entry in stored if entry.type == "chat.message" and not entry.removed and entry.id}
        watched.append(Watched(name, [Screen(after=after, shown=shown, visible=visible, began_at=after + 0.2)]))
    messages = [entry for entry in stored if entry.client_id is not None]
    sent.append(Sent("sender-0", "refused", 3.0, FAIL, code="chat.empty"))
    sent.append(Sent("sender-1", "lost", 4.0, UNKNOWN))
    return Storm(sent, watched, messages, stored, [Fault("cut", 10.0, 15.0)])


@pytest.fixture
def storm() -> Storm:
    return clean()


def test_clean_logs_have_no_findings(storm):
    verdict = check(storm)

    assert verdict.findings == []
    assert verdict.recovery_seconds == {"cut": pytest.approx(0.0)}


@pytest.mark.parametrize("viewer", [0, 1, 2])
@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_line_that_was_removed_from_a_viewers_log_is_found(storm, viewer, place):
    del storm.watched[viewer].screens[0].shown[place]

    assert check(storm).letters() == {"e"}


@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_line_that_was_doubled_is_found(storm, place):
    shown = storm.watched[1].screens[0].shown
    shown.insert(place, shown[place])

    assert check(storm).letters() == {"e"}


@pytest.mark.parametrize("place", [0, 4, 9])
def test_two_lines_that_were_swapped_are_found(storm, place):
    shown = storm.watched[2].screens[0].shown
    shown[place], shown[place + 1] = shown[place + 1], shown[place]

    assert check(storm).letters() == {"e"}


@pytest.mark.parametrize("place", [0, 4, 99])
def test_a_line_that_was_invented_is_found(storm, place):
    storm.watched[0].screens[0].shown.insert(place, Shown(999, "chat.message", "never sent", 9.0))

    assert check(storm).letters() == {"e"}


def test_a_removed_message_on_a_screen_is_found(storm):
    storm.watched[1].screens[0].visible.add(f"m{REMOVED}")

    assert check(storm).letters() == {"g"}


def test_a_viewer_who_never_saw_anything_is_found(storm):
    storm.watched.append(Watched("nobody told"))

    assert check(storm).letters() == {"e"}


def test_an_acknowledged_message_that_is_not_stored_is_found(storm):
    storm.sent.append(Sent("sender-0", "gone", 5.0, OK, "gone", 12, 5.5))

    assert "a" in check(storm).letters()


def test_an_acknowledgement_with_another_number_is_found(storm):
    storm.sent[3].seq = 6

    assert "a" in check(storm).letters()


@pytest.mark.parametrize("field", ["id", "client_id"])
def test_a_message_that_is_stored_twice_is_found(storm, field):
    first = storm.by_sql[4]
    twin = replace(first, seq=COUNT + 3, **({"client_id": "c99"} if field == "id" else {"id": "m99"}))
    storm.by_sql.append(twin)

    assert "b" in check(storm).letters()


def test_a_refused_message_that_is_stored_is_found(storm):
    storm.by_sql.append(Stored(COUNT + 3, "chat.message", "m99", "refused", "sender-0"))

    assert "c" in check(storm).letters()


def test_an_unknown_message_may_be_stored_once(storm):
    stored = Stored(COUNT + 3, "chat.message", "m99", "lost", "sender-1")
    storm.by_sql.append(stored)
    storm.by_api.append(stored)
    for watched in storm.watched:
        watched.screens[0].shown.append(Shown(COUNT + 3, "chat.message", "m99", 40.0))

    assert check(storm).findings == []


def test_an_unknown_message_that_is_stored_twice_is_found(storm):
    for seq in (COUNT + 3, COUNT + 4):
        storm.by_sql.append(Stored(seq, "chat.message", f"m{seq}", "lost", "sender-1"))

    assert {"b", "c"} <= check(storm).letters()


def test_a_message_that_nobody_sent_is_found(storm):
    storm.by_sql.append(Stored(COUNT + 3, "chat.message", "m99", "invented", "eve"))

    assert "c" in check(storm).letters()


def test_a_hole_in_the_numbers_is_found(storm):
    del storm.by_sql[0]

    assert "d" in check(storm).letters()


def test_an_api_that_tells_another_story_is_found(storm):
    storm.by_api[3] = replace(storm.by_api[3], removed=True)

    assert check(storm).letters() == {"d"}


def test_a_later_message_with_a_smaller_number_is_found(storm):
    late, early = storm.sent[9], storm.sent[12]
    late.seq, early.seq = early.seq, late.seq

    assert "f" in check(storm).letters()


def test_messages_that_were_on_their_way_together_may_have_any_order(storm):
    one, other = storm.sent[9], storm.sent[10]
    one.invoked_at = other.invoked_at = 11.0
    one.done_at = other.done_at = 12.5

    assert "f" not in check(storm).letters()


def test_recovery_is_told_by_the_last_viewer(storm):
    for index, one in enumerate(storm.watched[1].screens[0].shown):
        if 9 <= one.seq <= 16:
            storm.watched[1].screens[0].shown[index] = replace(one, at=18.5)

    assert check(storm).recovery_seconds == {"cut": pytest.approx(3.5)}


def test_a_viewer_who_never_recovers_has_no_recovery_time(storm):
    del storm.watched[1].screens[0].shown[5:]

    verdict = check(storm)

    assert verdict.recovery_seconds == {"cut": None}
    assert verdict.letters() == {"e"}


def test_a_screen_that_a_snapshot_replaced_counts_from_the_snapshot(storm):
    whole = storm.watched[0].screens[0]
    second = copy.deepcopy(whole)
    second.after, second.shown, second.began_at = 18, whole.shown[18:], 16.0
    whole.shown = whole.shown[:8]
    storm.watched[0].screens.append(second)

    verdict = check(storm)

    assert verdict.findings == []
    assert verdict.recovery_seconds == {"cut": pytest.approx(1.0)}


# ---- Late event loops --------------------------------------------------------------------------------------------


def lags(*seconds):
    """Return a worker's counts when its loop has this lag in a thousand rounds and these."""
    all_lags = [*([0.001] * 1000), *seconds]
    edges = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, float("inf"))
    return {edge: float(sum(lag <= edge for lag in all_lags)) for edge in edges}


@pytest.mark.parametrize(
    ("seconds", "late"),
    [
        ([], False),
        ([0.19] * 500, False),
        ([0.4] * 10, False),
        ([0.4] * 11, True),
        ([1.9], False),
        ([2.1], True),
        ([float("inf")], True),
    ],
)
def test_loops_that_are_late_too_often_or_stand_still_are_found(seconds, late):
    assert (why_late(lags(*seconds)) is not None) == late


def test_a_worker_that_does_not_answer_is_not_late():
    assert why_late({}) is None


def test_the_lag_of_a_row_is_the_bucket_that_holds_it():
    assert bounds(lags(*[0.15] * 20, 0.7)) == (0.2, 1)
