"""The outbox: calls to other systems follow commits, in order, and are never made inside a transaction."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from livestream import outbox
from livestream.errors import ProviderRejected, ProviderUnreachable, ProviderUnsupported
from livestream.models import OutboxTask
from livestream.outbox import outbox_deliver, outbox_handler, outbox_is_pending, outbox_put, outbox_retry
from tests.cast import make_user
from tests.outbox import sweep, waiting

pytestmark = pytest.mark.django_db
KIND = "test.kind"
SILENT = ProviderUnreachable("far", "no answer", retry_after=0)
REFUSED = ProviderRejected("far", "answered 401", status=401)


class Dies(BaseException):
    """The process is killed in the middle of a call."""


class Outside:
    """Another system: the received calls, and its next answers."""

    def __init__(self):
        self.told = []
        self.answers = []
        self.during = None

    def call(self, payload):
        answer = self.answers.pop(0) if self.answers else None
        if self.during is not None:
            during, self.during = self.during, None
            during()
        if answer is not None:
            raise answer
        self.told.append(payload["value"])


@pytest.fixture
def outside(monkeypatch):
    monkeypatch.setattr(outbox, "_handlers", {})
    monkeypatch.setattr(outbox, "_silent", set())
    made = Outside()
    outbox_handler(KIND)(made.call)
    return made


def put(value, *, key="a", target="far", ago=0.0):
    now = timezone.now() - timedelta(seconds=ago)
    outbox_put(kind=KIND, key=key, target=target, payload={"value": value}, now=now)


def deliver(*keys):
    outbox_deliver(kind=KIND, keys=keys or ["a"])


# ---- Change and task, both or neither --------------------------------------------------------------------------------


def test_a_change_that_is_rolled_back_tells_nobody(outside):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        put(1)
        raise ZeroDivisionError

    deliver()
    assert (sweep(), outside.told, waiting()) == (0, [], [])


def test_the_call_is_made_right_after_the_commit_and_once(outside):
    put(1)
    deliver()

    assert outside.told == [1]
    assert (sweep(), outside.told, waiting()) == (0, [1], [])


def test_a_process_that_dies_between_commit_and_call_loses_nothing(outside):
    put(1)

    assert sweep() == 1
    assert (outside.told, waiting()) == ([1], [])


def test_a_process_that_dies_during_the_call_loses_nothing(outside):
    outside.answers = [Dies()]
    put(1)
    with pytest.raises(Dies):
        deliver()

    assert sweep(seconds=20) == 0, "it may still be at it"
    assert sweep(seconds=31) == 1
    assert (outside.told, waiting()) == ([1], [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", [deliver, sweep])
def test_no_call_is_made_inside_a_transaction(outside, make):
    put(1)

    with pytest.raises(RuntimeError), transaction.atomic():
        make()

    assert (outside.told, waiting()) == ([], ["a"])


# ---- Order -----------------------------------------------------------------------------------------------------------


def test_tasks_about_the_same_thing_become_one_and_the_newest_counts(outside):
    outside.answers = [SILENT] * 3
    put(1)
    deliver()
    put(2)
    put(3, key="b")

    assert waiting() == ["a", "b"]
    outside.answers = []
    deliver("a", "b")
    assert outside.told == [2, 3]


@pytest.mark.parametrize("answer", [None, SILENT, REFUSED])
def test_what_is_put_anew_during_a_call_is_told_after_it_and_nothing_overtakes(outside, answer):
    def meanwhile():
        put(2)
        deliver()  # as another process does
        assert outside.told == []

    outside.during, outside.answers = meanwhile, [answer]
    put(1)
    deliver()

    assert outside.told == ([1, 2] if answer is None else [2])
    assert waiting() == []


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["deliver", "die", "nothing"]), st.integers(0, 3)),
        max_size=12,
    ),
    answers=st.lists(st.sampled_from([None, SILENT, REFUSED, Dies()]), max_size=12),
)
def test_in_the_end_everybody_has_been_told_the_last_state(steps, answers):
    """Despite failures and crashes in between: the handler reads the state at the moment of its call."""
    OutboxTask.objects.all().delete()
    state, told, left = {}, {}, list(answers)

    def call(payload):
        answer = left.pop(0) if left else None
        if answer is not None:
            raise answer
        told[payload["value"]] = state[payload["value"]]

    before, outbox._handlers[KIND] = outbox._handlers.get(KIND), call
    try:
        for number, (key, then, value) in enumerate(steps):
            state[key] = (number, value)
            put(key, key=key)
            try:
                if then == "deliver":
                    deliver(key)
                elif then == "die":
                    left.insert(0, Dies())
                    deliver(key)
            except Dies:
                pass
        left.clear()
        for minute in range(1, 6):
            sweep(seconds=60 * minute + 40)
    finally:
        outbox._handlers[KIND] = before
    assert told == state
    assert waiting() == []


# ---- Failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "before", "after"),
    [
        (SILENT, 0.9, 1.3),
        (ProviderUnreachable("far", "busy", retry_after=9), 8.9, 11.3),
        (REFUSED, 59, 76),
        (KeyError("a fault of the handler"), 59, 76),
    ],
)
def test_a_call_that_failed_is_made_again_after_a_while(outside, answer, before, after):
    outside.answers = [answer]
    put(1)
    deliver()
    assert OutboxTask.objects.get().last_error == str(answer)

    assert (sweep(before), sweep(after), outside.told) == (0, 1, [1])


def test_waits_grow_and_have_an_end(outside):
    outside.answers = [SILENT] * 8
    put(1)
    waits = []
    for _ in range(8):
        task = OutboxTask.objects.get()
        outbox.outbox_sweep(now=task.due_at)
        waits.append((OutboxTask.objects.get().due_at - task.due_at).total_seconds())

    for wait, least in zip(waits, [1, 2, 4, 8, 15, 15, 15, 15], strict=True):
        assert least <= wait <= 1.25 * least


def test_what_is_not_possible_there_is_not_tried_again(outside):
    outside.answers = [ProviderUnsupported("far", "cannot")]
    put(1)
    deliver()

    assert (outside.told, waiting()) == ([], [])


@pytest.mark.parametrize("answer", [SILENT, REFUSED])
def test_after_a_day_a_task_is_given_up_and_the_staff_can_have_it_tried_again(outside, client, answer):
    outside.answers = [answer] * 3
    put(1, ago=24 * 3600 - 10)
    deliver()
    sweep(seconds=100)
    assert OutboxTask.objects.get().gave_up_at is not None
    assert sweep(seconds=3600) == 0
    outside.answers = []

    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    listing = reverse("admin:livestream_outboxtask_changelist")
    assert str(answer) in client.get(listing).content.decode()
    chosen = [task.pk for task in OutboxTask.objects.all()]
    client.post(listing, {"action": "try_again", "_selected_action": chosen})

    assert (sweep(), outside.told, waiting()) == (1, [1], [])


def test_what_was_given_up_long_ago_is_forgotten(outside):
    put(1)
    OutboxTask.objects.update(gave_up_at=timezone.now() - timedelta(days=31))

    assert (sweep(), outbox_is_pending(kind=KIND, key="a")) == (0, False)


# ---- Many ------------------------------------------------------------------------------------------------------------


def test_a_target_that_does_not_answer_is_asked_once_a_round_about_another_task_each_time_and_last(outside):
    def call(payload):
        outside.told.append(payload["value"])
        if payload["value"] < 10:
            raise SILENT

    outbox._handlers[KIND] = call
    for value in range(3):
        put(value, key=str(value), target="away", ago=3 - value)
    put(10, key="10", target="there")

    assert sweep() == 1
    assert sorted(outside.told) == [0, 10]
    put(11, key="11", target="there")
    sweep()
    assert outside.told[2:] == [11, 1], "who did not answer last time comes last"


def test_a_refusal_keeps_no_other_task_of_the_target_from_its_turn(outside):
    outside.answers = [REFUSED]
    for value in range(3):
        put(value, key=str(value), ago=3 - value)

    sweep()

    assert outside.told == [1, 2]


def test_trying_again_says_how_many(outside):
    for value in range(3):
        put(value, key=str(value))

    assert outbox_retry(tasks=OutboxTask.objects.filter(key__in=["0", "1"])) == 2
