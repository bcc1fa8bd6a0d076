"""Many sockets' queries in one database visit."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from livestream.batching import Batcher
from livestream.database import COMMANDS, in_database
from livestream.errors import Denied


class Visits:
    """Answers a number with its square, refuses negative ones, and records the batches."""

    def __init__(self):
        self.together = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, asked):
        self.go.wait(5)
        self.together.append(list(asked))
        return [number * number if number >= 0 else Denied() for number in asked]


async def test_who_asks_while_a_visit_runs_shares_the_next_one():
    visits = Visits()
    visits.go.clear()
    square = Batcher(visits)
    first = asyncio.create_task(square(1))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(square(number)) for number in range(2, 6)]
    await asyncio.sleep(0.05)
    visits.go.set()

    assert await asyncio.gather(first, *others) == [1, 4, 9, 16, 25]
    assert visits.together == [[1], [2, 3, 4, 5]]


async def test_each_gets_its_own_refusal():
    square = Batcher(Visits())

    answers = await asyncio.gather(square(3), square(-1), square(4), return_exceptions=True)

    assert (answers[0], type(answers[1]), answers[2]) == (9, Denied, 16)


async def test_a_visit_that_fails_fails_all_who_wait_for_it_and_nobody_after():
    visits = Visits()
    square = Batcher(visits)
    visits.go = None

    answers = await asyncio.gather(square(1), square(2), return_exceptions=True)
    visits.go = threading.Event()
    visits.go.set()

    assert [type(answer) for answer in answers] == [AttributeError, AttributeError]
    assert await square(5) == 25


async def test_who_is_gone_is_not_waited_for():
    visits = Visits()
    visits.go.clear()
    square = Batcher(visits)
    gone, stays = asyncio.create_task(square(1)), asyncio.create_task(square(2))
    await asyncio.sleep(0.02)
    gone.cancel()
    visits.go.set()

    assert await stays == 4


def test_every_loop_has_visits_of_its_own():
    visits = Visits()
    visits.go.clear()
    square = Batcher(visits)

    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(asyncio.run, asyncio.wait_for(square(number), 10)) for number in (1, 2, 3)]
        time.sleep(0.2)
        visits.go.set()

        assert [one.result(20) for one in asked] == [1, 4, 9]
    assert sorted(visits.together) == [[1], [2], [3]]
    assert square._rounds == {}


async def test_a_crowd_waits_for_none_of_the_threads_that_others_wait_in():
    over = threading.Event()
    held = [asyncio.create_task(in_database(over.wait, 20)) for _ in range(COMMANDS.size)]

    answer = await asyncio.wait_for(Batcher(Visits())(7), 5)
    over.set()

    assert await asyncio.gather(*held) == [True] * COMMANDS.size
    assert answer == 49
