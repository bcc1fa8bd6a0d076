"""The room's log passes every event once, in order, whatever the layer does to them."""

from hypothesis import given
from hypothesis import strategies as st

from livestream.realtime.room_log import KEPT, RoomLog


def numbers(documents: list[tuple[int | None, str]]) -> list[int | None]:
    return [seq for seq, _ in documents]


def document(seq: int) -> tuple[int, str]:
    return seq, f"event {seq}"


@st.composite
def what_the_layer_did(draw: st.DrawFn) -> tuple[int, list[int]]:
    """The number of events, and the order and repetition of their arrival, with losses."""
    count = draw(st.integers(1, 40))
    arrived = draw(st.lists(st.integers(1, count), max_size=120))
    return count, arrived


@given(what_the_layer_did())
def test_events_pass_once_and_in_order_and_healing_brings_the_rest(case: tuple[int, list[int]]) -> None:
    count, arrived = case
    log = RoomLog()
    log.start(0)
    passed: list[int | None] = []

    for seq in arrived:
        passed += numbers(log.admit([document(seq)]))
    while (gap := log.gap()) is not None:
        passed += numbers(log.admit([document(seq) for seq in range(gap[0], gap[1] + 1)]))
    passed += numbers(log.admit([document(seq) for seq in range((log.last or 0) + 1, count + 1)]))

    assert passed == list(range(1, count + 1))
    assert log.since(0) == [f"event {seq}" for seq in range(1, count + 1)]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_since_gives_all_or_nothing(head: int, fresh: int, after: int) -> None:
    log = RoomLog()
    log.start(head)
    log.admit([document(seq) for seq in range(head + 1, head + fresh + 1)])

    missed = log.since(after)

    if head <= after <= head + fresh:
        assert missed == [f"event {seq}" for seq in range(after + 1, head + fresh + 1)]
    else:
        assert missed is None


@given(st.integers(0, 50), st.integers(0, 20))
def test_priming_puts_the_past_before_what_is_kept(head: int, fresh: int) -> None:
    log = RoomLog()
    log.start(head)
    log.admit([document(seq) for seq in range(head + 1, head + fresh + 1)])

    log.prime([document(seq) for seq in range(1, head + fresh + 1)], head + fresh)

    assert log.since(0) == [f"event {seq}" for seq in range(1, head + fresh + 1)]


def test_a_past_with_a_hole_before_what_is_kept_is_not_taken() -> None:
    log = RoomLog()
    log.start(10)
    log.admit([document(11)])

    log.prime([document(7), document(8)], 8)

    assert log.since(7) is None
    assert log.since(10) == ["event 11"]


def test_documents_without_a_number_pass_at_once() -> None:
    log = RoomLog()
    log.start(5)

    passed = log.admit([document(8), (None, "viewers"), document(7)])

    assert passed == [(None, "viewers")]
    assert log.gap() == (6, 6)


def test_giving_up_on_a_gap_lets_the_early_ones_pass_and_forgets_the_past() -> None:
    log = RoomLog()
    log.start(0)
    log.admit([document(1), document(3), document(4)])

    passed = log.give_up()

    assert passed == [document(3), document(4)]
    assert log.since(0) is None
    assert log.since(2) == ["event 3", "event 4"]


def test_only_the_last_events_are_kept() -> None:
    log = RoomLog()
    log.start(0)

    log.admit([document(seq) for seq in range(1, KEPT + 11)])

    assert log.since(9) is None
    assert len(log.since(10) or []) == KEPT
