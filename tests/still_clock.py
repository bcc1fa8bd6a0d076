"""An event loop whose clock stands still until the test moves it: what needs no timer happens all the same."""

import asyncio

STEP_SECONDS = 0.0002
TURNS = 20


class StillLoop(asyncio.SelectorEventLoop):
    """`now` is the time of all timers."""

    now = 1_000.0

    def time(self) -> float:
        return self.now


def still_loop() -> StillLoop:
    """Return the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StillLoop)
    return loop


async def turns() -> None:
    """Run all that waits for nothing but the turn of the loop."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Move the clock in small steps, so that timers run at their time."""
    loop, until = still_loop(), still_loop().now + seconds
    while loop.now < until:
        loop.now = min(until, loop.now + STEP_SECONDS)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
