"""Limits on guessing passwords, counted before the hasher runs.

At most 10 wrong tries per account and 30 per address in any 15 minutes. Each try takes one of that many slots in the
shared cache, and each slot is free again 15 minutes after it was taken: no window whose edge a guesser could use. A
right password gives its slots back, so that only wrong ones count.
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

TRIES_PER_ACCOUNT = 10
TRIES_PER_ADDRESS = 30
TRY_SECONDS = 15 * 60


@dataclass
class Tries:
    """The slots that one try has taken."""

    slots: list[str] = field(default_factory=list)

    def give_back(self) -> None:
        """This was no guess: the password was right, or nobody looked at it."""
        slots, self.slots = self.slots, []
        with suppress(RedisError, OSError):  # they come free by themselves, only later
            cache.delete_many(slots)


@contextmanager
def password_tries(*, username: str, address: str) -> Iterator[Tries]:
    """Around one look at a password. Raises TooMany before it, with `retry_after`, when there were too many.

    `address` may be "" when nobody knows it (a command, a test client): then the account alone counts. With the
    cache away nobody can sign in: guessing without limit is worse.
    """
    tries = Tries()
    try:
        if address:
            _take(tries, f"address:{network_of(address)}", TRIES_PER_ADDRESS)
        try:
            _take(tries, f"account:{username.lower()}", TRIES_PER_ACCOUNT)
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
    """What one subscriber holds: a single IPv4 address, or a /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
