"""Limits on guessing passwords, counted before the hasher runs.

In any 15 minutes at most 10 failed attempts per account from one network, 30 from a network on all accounts, and 100
per account from everywhere. A browser that logged in to the account before has 10 of its own and is not counted with
the others, so others cannot lock its owner out (decision 0030). Each attempt takes one of that many slots in the shared
cache, and each slot is free again 15 minutes after it was taken, so there is no window edge to exploit. A right
password returns its slots, so that only wrong ones count.
"""

import hashlib
import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from django.core.cache import cache
from redis.exceptions import RedisError

from livestream.errors import TooMany, Unavailable

TRIES_PER_SOURCE = 10
TRIES_PER_NETWORK = 30
TRIES_PER_ACCOUNT = 100
TRY_SECONDS = 15 * 60


@dataclass
class Tries:
    """The slots taken by one attempt."""

    slots: list[str] = field(default_factory=list)

    def give_back(self) -> None:
        """Return the slots: the password was right, or was not checked."""
        slots, self.slots = self.slots, []
        with suppress(RedisError, OSError):  # they expire by themselves, only later
            cache.delete_many(slots)


@contextmanager
def password_tries(*, username: str, address: str, browser: str = "") -> Iterator[Tries]:
    """Count one check of a password. Raises TooMany with `retry_after` before it, after too many attempts.

    `address` may be "" if unknown (a command, a test client), which counts as one place. `browser` comes from
    `accounts.known_browsers`. While the cache is unavailable, log-in is refused: unlimited guessing would be worse.
    """
    tries = Tries()
    try:
        for key, limit in _counters(username.lower(), network_of(address), browser):
            _take(tries, key, limit)
    except TooMany:
        tries.give_back()
        raise
    except (RedisError, OSError):
        raise Unavailable() from None
    try:
        yield tries
    except Unavailable:
        tries.give_back()
        raise


def _counters(account: str, network: str, browser: str) -> list[tuple[str, int]]:
    if browser:
        return [(f"browser:{browser}:{account}", TRIES_PER_SOURCE)]
    of_network = [(f"network:{network}", TRIES_PER_NETWORK)] if network else []
    of_source = (f"source:{network}:{account}", TRIES_PER_SOURCE)
    return [*of_network, of_source, (f"account:{account}", TRIES_PER_ACCOUNT)]


def _take(tries: Tries, key: str, limit: int) -> None:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    names = [f"try:{digest}:{number}" for number in range(limit)]
    now = time.time()
    taken = cache.get_many(names)
    for name in names:
        if name not in taken and cache.add(name, now + TRY_SECONDS, timeout=TRY_SECONDS):
            tries.slots.append(name)
            return
    wait = min(taken.values(), default=now + 1) - now
    raise TooMany(
        "sign_in.too_many",
        "Too many attempts.",
        retry_after=max(1.0, round(wait, 1)),
    )


def network_of(address: str) -> str:
    """Return the network of one subscriber: a single IPv4 address, or a /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
