"""Many threads' questions, one visit."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from livestream.batching import TOGETHER, GatheredInThreads
from livestream.errors import Denied
from tests.kernel.test_batching import Visits


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as threads:
        yield threads


def asked_while_a_visit_runs(threads, square, visits, numbers):
    """The future answers to a first question, and to others that come while it is being answered."""
    visits.go.clear()
    first = threads.submit(square, 1)
    wait_for(lambda: square._is_visiting and not square._waiting)
    others = [threads.submit(square, number) for number in numbers]
    wait_for(lambda: len(square._waiting) == len(numbers))
    visits.go.set()
    return [first, *others]


def wait_for(true):
    until = time.monotonic() + 5
    while not true():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_who_asks_alone_makes_the_visit_in_the_thread_it_has():
    where = []
    square = GatheredInThreads(lambda asked: where.append(threading.current_thread()) or [one * one for one in asked])

    assert (square(3), where) == (9, [threading.current_thread()])


def test_who_asks_while_a_visit_runs_shares_the_next_one(threads):
    visits = Visits()
    square = GatheredInThreads(visits)
    answers = asked_while_a_visit_runs(threads, square, visits, [2, 3, 4, 5])

    assert [answer.result(5) for answer in answers] == [1, 4, 9, 16, 25]
    assert [sorted(together) for together in visits.together] == [[1], [2, 3, 4, 5]]


def test_each_gets_its_own_refusal(threads):
    visits = Visits()
    answers = asked_while_a_visit_runs(threads, GatheredInThreads(visits), visits, [-2, 3])

    assert isinstance(answers[1].exception(5), Denied)
    assert (answers[0].result(5), answers[2].result(5)) == (1, 9)


def test_a_visit_that_fails_fails_all_who_wait_for_it_and_nobody_after():
    def fails(asked):
        if 0 in asked:
            raise ZeroDivisionError
        return asked

    same = GatheredInThreads(fails)

    with pytest.raises(ZeroDivisionError):
        same(0)
    assert same(5) == 5


def test_nobody_is_left_behind_by_a_crowd_larger_than_a_visit():
    def slowly(asked):
        time.sleep(0.002)
        sizes.append(len(asked))
        return asked

    sizes = []
    same = GatheredInThreads(slowly)
    with ThreadPoolExecutor(TOGETHER + 50) as crowd:
        answers = list(crowd.map(partial(asks_three_times, same), range(TOGETHER + 50)))

    assert answers == [[number] * 3 for number in range(TOGETHER + 50)]
    assert (sum(sizes), max(sizes) <= TOGETHER) == (3 * len(answers), True)


def asks_three_times(same, number):
    return [same(number) for _ in range(3)]
