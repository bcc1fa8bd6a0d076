"""What other apps do when everything that an account had open is to end, inside the transaction that says so."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Withdrawal = Callable[[UUID, datetime], object]

_withdrawals: list[Withdrawal] = []


def when_withdrawn(withdrawal: Withdrawal) -> None:
    """Have a function called with the person and the moment; an app registers its own once, when it is loaded."""
    if withdrawal not in _withdrawals:
        _withdrawals.append(withdrawal)


def withdrawals_run(*, user_id: UUID, now: datetime) -> None:
    """Call what was registered."""
    for withdrawal in _withdrawals:
        withdrawal(user_id, now)
