"""Media connections at a provider through this product's own address: access to them, and their termination.

An offer is answered only after the connection has been stored and its holder's right checked again. So all flowing
media have a row that says where to cut them, and every revocation finds it. A connection without a delivered answer
cannot carry anything.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from livestream.actors import actor_of
from livestream.errors import (
    BodyTooBig,
    Conflict,
    Denied,
    DomainError,
    Invalid,
    Missing,
    ProviderError,
    ProviderRejected,
    ProviderUnreachable,
    Unavailable,
)
from livestream.identifiers import secret_token
from livestream.outbox import outbox_deliver, outbox_handler, outbox_is_pending, outbox_put
from livestream.ratelimit import require_allowed
from providers.interface import Amended, Capability, Gateway, MediaRole, Opened, Resource, RoomRef
from providers.registry import provider_can, provider_named, providers_with
from streams.models import MediaResource, StreamSession
from streams.permissions import require_view
from streams.selectors import session_get
from streams.services.provider.media_pass import Pass, pass_presented, pass_required, token_not_valid
from streams.services.provider.provider_rooms import room_ref
from streams.state import OVER

KIND = "media.connection"
# Earlier connections of a person that remain beside a new one. A new publication replaces the old.
KEPT = {MediaRole.PUBLISHER: 0, MediaRole.SUBSCRIBER: 7}
OFFERS_PER_PERSON_AND_MINUTE = 120
OFFERS_PER_ADDRESS_AND_MINUTE = 600
# The server accepts one connection of a kind at a time, and there already is one.
TAKEN = 409
# Statuses of an amendment that are passed on to the client.
FRAGMENT_STATUSES = frozenset({400, 405, 412, 422, 428, 501})
BAD_OFFER = frozenset({400, 406, 415, 422})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """A valid token and the session it is for."""

    held: Pass
    session: StreamSession


# ---- For clients -----------------------------------------------------------------------------------------------------


def session_is_gated(*, session_id: UUID) -> bool:
    """Return whether a session's media exchange passes through this product to an external server."""
    provider = StreamSession.objects.filter(pk=session_id).values_list("provider", flat=True).first()
    return provider in providers_with(Capability.GATEWAY)


def resource_open(
    *, session_id: UUID, role: MediaRole, token: str, offer: bytes, address: str
) -> tuple[MediaResource, Opened]:
    """Open a connection for an authorized holder, whose right is checked again afterwards."""
    holder = _token_holder(session_id=session_id, role=role, token=token)
    held = holder.held
    if held.user_id is not None:
        require_allowed(scope="offer", key=held.uid, limit=OFFERS_PER_PERSON_AND_MINUTE, seconds=60)
    else:
        require_allowed(scope="offer-address", key=address, limit=OFFERS_PER_ADDRESS_AND_MINUTE, seconds=60)
    earlier = list(_rows(held).order_by("-created_at")[KEPT[role] :])
    try:
        opened = _opened(holder, role=role, offer=offer, earlier=earlier)
    except ProviderError as error:
        logger.warning("no connection from the provider session=%s role=%s error=%s", session_id, role, error)
        raise _offer_refused(error, role) from None
    row = MediaResource.objects.create(
        name=secret_token(),
        session_id=session_id,
        user_id=held.user_id,
        provider=held.provider,
        channel_id=held.channel_id,
        uid=held.uid,
        role=role.value,
        url=opened.url,
        token_hash=_hash(token),
        created_at=timezone.now(),
    )
    try:
        _token_holder(session_id=session_id, role=role, token=token)
    except DomainError:
        _row_end(row)
        raise
    for one in earlier:  # not earlier: a refused offer must not interrupt the current stream
        if one.url == opened.url:  # the server continues under the old address
            _forget([one.pk])
        else:
            _row_end(one)
    return row, opened


def _opened(holder: TokenHolder, *, role: MediaRole, offer: bytes, earlier: list[MediaResource]) -> Opened:
    """Open a connection. If the server accepts only one at a time, first end the person's earlier ones."""
    open_ = partial(_gateway(holder.held.provider).open, room=room_ref(holder.session), uid=holder.held.uid)
    try:
        return open_(role=role, offer=offer)
    except ProviderRejected as error:
        if error.status != TAKEN or not earlier:
            raise
    while earlier:
        _row_end(earlier.pop())
    return open_(role=role, offer=offer)


def resource_amend(
    *, session_id: UUID, role: MediaRole, name: str, token: str, fragment: bytes, if_match: str
) -> Amended:
    """Forward a client's amendment to its own connection, while it has the right."""
    held = _token_holder(session_id=session_id, role=role, token=token).held
    row = _rows(held).filter(pk=name).first()
    if row is None or outbox_is_pending(kind=KIND, key=name):  # its termination is pending
        raise Missing()
    resource, room = _resource(row), _room(row)
    try:
        return _gateway(row.provider).amend(room=room, resource=resource, fragment=fragment, if_match=if_match)
    except ProviderError as error:
        raise _fragment_refused(error) from None


def resource_close(*, session_id: UUID, role: MediaRole, name: str, token: str) -> None:
    """End a connection for its owner: with the token that created it, however old, or another valid token of theirs."""
    row = MediaResource.objects.filter(pk=name, session_id=session_id, role=role.value).first()
    if row is None or row.token_hash != _hash(token):
        held = pass_presented(token=token)
        if held is None:
            raise token_not_valid()
        if row is None or (held.session_id, held.uid) != (row.session_id, row.uid):
            raise Missing()
    _row_end(row)


def _token_holder(*, session_id: UUID, role: MediaRole, token: str) -> TokenHolder:
    """Return the holder of a token, if they still have its right. Raises DomainError."""
    held = pass_required(token=token, session_id=session_id, role=role)
    session = session_get(session_id)
    user = get_user_model().objects.filter(pk=held.user_id).first() if held.user_id else None
    actor = actor_of(user)
    if (session.provider, session.channel_id) != (held.provider, held.channel_id) or actor.user_id != held.user_id:
        raise token_not_valid()
    standing = require_view(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    if role == MediaRole.PUBLISHER and not standing.can_publish:
        raise Denied("token.role_not_held", "Only the host and guests on stage can send video.")
    return TokenHolder(held, session)


def _offer_refused(error: ProviderError, role: MediaRole) -> DomainError:
    if isinstance(error, ProviderUnreachable):
        message = "The video server isn't responding. Try again in a moment."
        return Unavailable("media.unavailable", message, retry_after=round(error.retry_after, 1))
    status = error.status if isinstance(error, ProviderRejected) else 0
    if status in (404, 409) and role == MediaRole.SUBSCRIBER:
        return Missing("media.not_live", "The host isn't sending video yet.", retry_after=1)
    if status == 409:
        return Unavailable("media.unavailable", "The video server still has another sender connected.", retry_after=2)
    if status in BAD_OFFER:
        return Invalid("media.bad_offer", "The video server can't answer that offer.")
    if status == 413:
        return BodyTooBig("media.too_large", "The offer is too large.")
    return Unavailable(
        "provider.refused", "The video service rejected the request. Please contact the site's administrator."
    )


def _fragment_refused(error: ProviderError) -> DomainError:
    status = error.status if isinstance(error, ProviderRejected) else 0
    if status in FRAGMENT_STATUSES:
        refused = Invalid("invalid", "The video server rejected the change. Reconnect.")
        refused.status = status
        return refused
    if status in (404, 410):
        return Missing()
    return Unavailable("media.unavailable", "The video server isn't responding. Try again in a moment.", retry_after=2)


# ---- Revocation ------------------------------------------------------------------------------------------------------


def connections_end(*, room: RoomRef, provider: str, uid: str | None = None, role: MediaRole | None = None) -> bool:
    """End the open connections of a room, of one person, or only their publications. Return False if clients connect to
    the provider directly.

    Each is a task of its own, so that a failure does not affect the others. Publications come first: then nothing is
    visible any more, however long the rest takes.
    """
    if not provider_can(provider, Capability.GATEWAY):
        return False
    rows = MediaResource.objects.filter(provider=provider, channel_id=room.channel_id)
    rows = rows.filter(uid=uid) if uid is not None else rows
    rows = rows.filter(role=role.value) if role is not None else rows
    now = timezone.now()
    names = []
    for row in sorted(rows, key=lambda one: one.role != MediaRole.PUBLISHER):
        _end_put(row, now)
        names.append(row.name)
    outbox_deliver(kind=KIND, keys=names)
    return True


def person_resources_end(user_id: UUID, now: datetime) -> int:
    """End all connections of a person in all sessions, after a password change, in its transaction. Return how many."""
    rows = list(MediaResource.objects.filter(user_id=user_id))
    for row in rows:
        _end_put(row, now)
    names = [row.name for row in rows]
    transaction.on_commit(partial(outbox_deliver, kind=KIND, keys=names), robust=True)
    return len(rows)


def _row_end(row: MediaResource) -> None:
    """End one connection at its provider. The outbox retries failures."""
    _end_put(row, timezone.now())
    outbox_deliver(kind=KIND, keys=[row.name])


def _end_put(row: MediaResource, now: datetime) -> None:
    outbox_put(kind=KIND, key=row.name, target=row.provider, payload={"name": row.name}, now=now)


@outbox_handler(KIND)
def _connection_end(payload: dict[str, Any]) -> None:
    row = MediaResource.objects.filter(pk=payload["name"]).first()
    if row is not None and row.provider in settings.PROVIDERS:
        _gateway(row.provider).end(room=_room(row), resource=_resource(row))
        _forget([row.pk])


def _forget(names: list[str]) -> None:
    if names:
        MediaResource.objects.filter(pk__in=names).delete()


def _rows(held: Pass) -> QuerySet[MediaResource]:
    """Return the holder's open connections in the token's role."""
    return MediaResource.objects.filter(
        session_id=held.session_id,
        provider=held.provider,
        channel_id=held.channel_id,
        uid=held.uid,
        role=held.role.value,
    )


def _room(row: MediaResource) -> RoomRef:
    return RoomRef(session_id=row.session_id, channel_id=row.channel_id)


def _resource(row: MediaResource) -> Resource:
    return Resource(name=row.name, uid=row.uid, role=MediaRole(row.role), url=row.url)


def _gateway(name: str) -> Gateway:
    return cast(Gateway, provider_named(name))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
