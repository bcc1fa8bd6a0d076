"""Media tokens on the event loop: a whole audience may ask in the same instant, and is answered together."""

from collections.abc import Sequence

from django.db import IntegrityError

from livestream.batching import Batcher
from livestream.database import REQUESTS
from livestream.errors import DomainError, ProviderError, TooMany
from livestream.metrics import TOKENS
from livestream.ratelimit import Limit, too_many, waits
from providers.base import JOIN_WAITS, JoinDescriptor
from providers.registry import provider_named
from streams.services.provider.rooms import room_ref
from streams.services.provider.uids import provider_uid
from tokens.models import IssuedToken
from tokens.services import (
    media_token_for,
    person_of,
    require_carried,
    require_same_channel,
    row_of,
    rows_store,
    rows_withdraw,
)
from tokens.wishes import Asked, Wish, wishes_of


async def media_token_awaited(asked: Asked, *, limit: Limit) -> JoinDescriptor:
    """`media_token_issue`, counted by `limit`: here where a token is only signed, in a thread where somebody is waited
    for, or where the show has to go on elsewhere. Raises TooMany, and all that it raises."""
    wish = await _let_through((limit, asked))
    if not JOIN_WAITS & provider_named(wish.session.provider).capabilities:
        try:
            return await _handed_out(wish)
        except (ProviderError, IntegrityError):
            pass  # the long way tries again, and says what is wrong
    return await REQUESTS.run(media_token_for, wish)


async def _handed_out(wish: Wish) -> JoinDescriptor:
    require_carried(wish)
    session = wish.session
    made = provider_named(session.provider).join(
        room=room_ref(session),
        person=person_of(wish, uid=provider_uid(session=session, user_id=wish.actor.user_id)),
        role=wish.role,
        is_admin=wish.standing.is_host,
        now=wish.now,
    )
    row = await _stored(row_of(wish, made))
    await _require_still(wish, row)
    TOKENS.labels(made.provider, "issued").inc()
    return made


async def _require_still(wish: Wish, row: IssuedToken) -> None:
    """As in `tokens.services`: who lost the right meanwhile does not get it."""
    if row.provider == "builtin":
        return
    try:
        require_same_channel(await _wish(wish.asked), row)
    except DomainError:
        await _withdrawn(row)
        raise


def _counted(asked: Sequence[tuple[Limit, Asked]]) -> list[Wish | Exception]:
    """For each, in order, what is wanted, or why it may not be had; first of all, because it is too often."""
    counts = waits([limit for limit, _ in asked])
    within = [one for (_, one), wait in zip(asked, counts, strict=True) if wait is None]
    wishes = iter(wishes_of(within))
    return [next(wishes) if wait is None else too_many(wait) for wait in counts]


def _too_often(limits: Sequence[Limit]) -> list[TooMany | None]:
    return [None if wait is None else too_many(wait) for wait in waits(limits)]


# Count somebody who asks for nothing that could be had. Raises TooMany.
once_more = Batcher(_too_often)
_let_through = Batcher(_counted)
_wish = Batcher(wishes_of)
_stored = Batcher(rows_store)
_withdrawn = Batcher(rows_withdraw)
