"""Sequence numbers, gaps, and retransmission requests."""

import pytest

from media_node.forwarding.receive_stats import Reception
from media_node.wire.nack import CACHE_PACKETS, PacketCache, due_sequences
from media_node.wire.rtcp import SenderReport
from media_node.wire.sequence import WINDOW, SequenceTracker


def placed(tracker, *sequences):
    return [tracker.place(sequence=sequence, now=0.0) for sequence in sequences]


def test_numbers_go_on_past_the_wrap():
    tracker = SequenceTracker()

    assert placed(tracker, 65534, 65535, 0, 1) == [65534, 65535, 65536, 65537]
    assert (tracker.expected, tracker.received) == (4, 4)


def test_a_late_packet_fills_its_gap_once():
    tracker = SequenceTracker()

    assert placed(tracker, 10, 13, 11, 11, 13, 12) == [10, 13, 11, None, None, 12]
    assert tracker.missing == {}


def test_a_packet_from_before_the_first_is_not_wanted():
    assert placed(SequenceTracker(), 10, 9) == [10, None]


def test_one_stray_packet_does_not_move_the_stream_but_two_restart_it():
    tracker = SequenceTracker()

    assert placed(tracker, 10, 40000, 11) == [10, None, 11]
    assert tracker.generation == 0
    assert placed(tracker, 40000, 40001) == [None, 40001]
    assert tracker.generation == 1


@pytest.mark.parametrize("back", [1, 100, 936, 1024, 5000])
def test_two_packets_in_a_row_from_before_the_first_are_a_restart(back):
    tracker = SequenceTracker()
    placed(tracker, *range(20_000, 20_030))

    assert placed(tracker, 20_000 - back, 20_029, 20_030) == [None, None, 20_030], "one alone is not"
    again = placed(tracker, 20_000 - back - 1, 20_000 - back, 20_001 - back)

    assert again[:2] == [None, 20_000 - back]
    assert again[2] in (20_001 - back, None) and tracker.generation == 1


def test_what_comes_twice_is_no_restart():
    tracker = SequenceTracker()
    placed(tracker, *range(1000, 1300))

    assert placed(tracker, *range(1000, 1299)) == [None] * 299
    assert (tracker.generation, tracker.highest) == (0, 1299)


def test_only_the_last_thousand_gaps_are_remembered():
    tracker = SequenceTracker()

    placed(tracker, 0, 2900, 5700)

    assert len(tracker.missing) == WINDOW
    assert min(tracker.missing) == 5700 - WINDOW


def test_a_missing_packet_is_asked_for_five_times_and_then_let_go():
    tracker = SequenceTracker()
    placed(tracker, 65534, 1)

    asked = [due_sequences(tracker, now=step * 0.05) for step in range(20)]

    assert asked[0] == [65535, 0]
    assert [numbers for numbers in asked if numbers] == [[65535, 0]] * 5


def test_the_cache_gives_exactly_what_was_sent():
    cache = PacketCache()
    for sequence in range(CACHE_PACKETS + 1):
        cache.put((sequence, 0, sequence, b"%d" % sequence))

    assert cache.get(0) is None
    assert cache.get(1) == (1, 0, 1, b"1")
    assert cache.get(CACHE_PACKETS) == (CACHE_PACKETS, 0, CACHE_PACKETS, b"%d" % CACHE_PACKETS)


def test_a_report_block_tells_the_loss_of_its_interval():
    reception = Reception(clock_rate=90000)
    assert reception.block(ssrc=7, now=0.0) is None
    for sequence in (1, 2, 4):
        reception.tracker.place(sequence=sequence, now=0.0)
        reception.arrived(timestamp=sequence * 3000, now=sequence / 30)
    reception.sender_reported(SenderReport(7, 0x1234_5678_9ABC_DEF0, 0, 0, 0), now=1.0)

    first = reception.block(ssrc=7, now=1.5)
    second = reception.block(ssrc=7, now=2.0)

    assert first is not None and second is not None
    assert (first.fraction_lost, first.packets_lost, first.highest_sequence) == (64, 1, 4)
    assert (first.last_report, first.delay, first.jitter) == (0x5678_9ABC, 32768, 0)
    assert (second.fraction_lost, second.packets_lost) == (0, 1)
