"""Running the same function from many threads at the same moment, each with a database connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection


def at_once(number: int, do: Callable[[int], Any]) -> list[Any]:
    """Return the results of `do(0)` to `do(number - 1)`, in that order; an exception is its result."""
    gate = threading.Barrier(number)

    def one(index: int) -> Any:
        try:
            gate.wait(30)
            return do(index)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))
