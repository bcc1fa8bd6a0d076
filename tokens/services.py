"""Handing out media tokens: checked against the holder's standing, remembered by hash, taken back with the right."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from livestream.actors import SYSTEM, Actor
from livestream.batching import GatheredInThreads
from livestream.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotAuthenticated,
    ProviderError,
    ProviderUnreachable,
    Unavailable,
)
from livestream.events import publish
from livestream.metrics import TOKENS
from livestream.prepared import PreparedInsert
from livestream.realtime.groups import user_group
from providers.agora import AgoraProvider
from providers.agora_tokens import VERSIONS
from providers.base import Capability, JoinDescriptor, MediaRole, PersonRef, RoomRef
from providers.registry import provider_named
from streams.models import SessionType, StreamSession, Visibility
from streams.payloads import instant
from streams.services.people.credentials import Lost
from streams.services.people.passes import Pass
from streams.services.provider.rooms import room_prepare, room_ref
from streams.services.show.provider_failover import session_provider_switch
from streams.services.show.sessions import session_refused
from streams.services.stage.stage_uids import media_uid, media_uid_claim
from streams.state import OPEN
from tokens.admission import wait_for_provider
from tokens.events import TokenExpiring
from tokens.models import IssuedToken
from tokens.wishes import Asked, Wish, wish_of

KEEP_EXPIRED = timedelta(days=1)
# Holders are told this long before the end; then there is time for a few tries.
TELL_BEFORE = timedelta(seconds=60)
TOLD_AT_ONCE, FORGOTTEN_AT_ONCE = 1000, 5000
TRIES = 3

logger = logging.getLogger(__name__)


def media_token_issue(*, session_id: UUID, actor: Actor, role: MediaRole) -> JoinDescriptor:
    """A join descriptor for a role that the actor holds. Nobody in particular may watch what is not private.

    Raises Denied for a role the actor does not hold, Conflict once the session is over, Unavailable while the
    provider is away. A host whose provider is away goes on with the next one of MEDIA_FALLBACK.
    """
    return media_token_for(wish_of(Asked(session_id, actor, role)))


def media_token_for(wish: Wish) -> JoinDescriptor:
    """The same for a wish that was checked just now."""
    session_id = wish.session.pk
    tried: set[str] = set()
    while True:
        try:
            return _issue(wish)
        except ProviderError as error:
            provider = wish.session.provider
            tried.add(provider)
            TOKENS.labels(provider, "failed").inc()
            logger.warning("no token from the provider session=%s error=%s", session_id, error)
            following = _fallback(wish, tried)
            if following is None or error.permanent:
                if error.permanent and wish.role == MediaRole.PUBLISHER and wish.standing.is_host:
                    session_refused(session_id=session_id)
                raise _as_domain(error) from None
            session_provider_switch(session_id=session_id, actor=SYSTEM, provider=following)
            TOKENS.labels(following, "fell_back").inc()
            wish = wish_of(wish.asked)


def agora_token_issue(
    *, channel: str, actor: Actor, role: MediaRole, uid: int | None = None, with_rtm: bool = False
) -> JoinDescriptor:
    """A token for the Agora channel of a session; for the uid that is asked for, where nobody else has it.

    Raises Missing for a channel that is no session's, Conflict for a session that has another provider.
    """
    if actor.user_id is None:
        raise NotAuthenticated()
    found = StreamSession.objects.filter(channel_id=channel).values_list("pk", flat=True).first()
    wish = wish_of(Asked(found or uuid4(), actor, role))
    provider = provider_named(wish.session.provider)
    if not isinstance(provider, AgoraProvider):
        raise Conflict("token.other_provider", "This show does not go through Agora. Ask for its own media token.")
    if with_rtm and VERSIONS[0] != settings.AGORA_TOKEN_VERSION:
        raise Invalid("token.rtm_needs_007", "Media and signalling in one token need tokens of version 007.")
    if uid is not None:
        media_uid_claim(session=wish.session, user_id=actor.user_id, number=uid)
    return _handed_out(wish, room=room_ref(wish.session), join=partial(provider.join_with, with_rtm=with_rtm))


def require_carried(wish: Wish) -> None:
    """The show's provider can do what the wish needs. Raises Conflict."""
    provider = provider_named(wish.session.provider)
    if wish.session.visibility == Visibility.PRIVATE and Capability.PRIVATE_SHOWS not in provider.capabilities:
        raise Conflict("provider.not_private", "The provider of this show cannot limit who watches.")
    publishes = wish.role == MediaRole.PUBLISHER
    if publishes and not wish.standing.is_host and Capability.STAGE not in provider.capabilities:
        raise Conflict("provider.no_stage", "The provider of this show takes video from the host alone.")


def _issue(wish: Wish) -> JoinDescriptor:
    require_carried(wish)
    provider = provider_named(wish.session.provider)
    if Capability.NEEDS_ROOM not in provider.capabilities:
        return _handed_out(wish, room=room_ref(wish.session), join=provider.join)
    # Around the calls alone: what is looked up and stored for a crowd waits for nobody else.
    with wait_for_provider():
        room = room_prepare(wish.session)
    return _handed_out(wish, room=room, join=wait_for_provider()(provider.join))


def _handed_out(wish: Wish, *, room: RoomRef, join: Callable[..., JoinDescriptor]) -> JoinDescriptor:
    """Have a token made and remember it. Two that happen to be the same are not both handed out."""
    person = person_of(wish, uid=media_uid(session=wish.session, user_id=wish.actor.user_id))
    for _ in range(TRIES):
        made = join(room=room, person=person, role=wish.role, is_admin=wish.standing.is_host, now=wish.now)
        made = _naming_host(wish, made)
        try:
            row = _stored(row_of(wish, made))
        except IntegrityError:
            continue
        _require_still(wish, row)
        TOKENS.labels(made.provider, "issued").inc()
        return made
    raise Unavailable(retry_after=1)


def _naming_host(wish: Wish, made: JoinDescriptor) -> JoinDescriptor:
    """Where people are numbers, players are told the host's: else they would not know whose picture is the show."""
    if Capability.NUMERIC_UIDS not in provider_named(made.provider).capabilities:
        return made
    host_uid = media_uid(session=wish.session, user_id=wish.session.host_id)
    return replace(made, details={**made.details, "host_uid": host_uid})


def person_of(wish: Wish, *, uid: str) -> PersonRef:
    """Who wants it, as providers are told."""
    stage = str(wish.standing.role) if wish.standing.can_publish else ""
    return PersonRef(uid=uid, name=wish.actor.display_name or "Guest", stage=stage)


def row_of(wish: Wish, made: JoinDescriptor) -> IssuedToken:
    """What is kept of a token."""
    pk = uuid4()
    # One that everybody gets says nothing, and is no secret of this holder.
    kept = f"{pk}:{made.token}" if made.shared_token else made.token
    return IssuedToken(
        pk=pk,
        user_id=wish.actor.user_id,
        session_id=wish.session.pk,
        provider=made.provider,
        token_hash=token_hash(kept),
        channel_id=made.channel_id,
        uid=made.uid,
        role=wish.role.value,
        privileges=privileges_of(made),
        created_at=wish.now,
        expires_at=made.expires_at,
    )


_store = PreparedInsert(IssuedToken)


def rows_store(rows: Sequence[IssuedToken]) -> list[IssuedToken | Exception]:
    """Store all at once; where a token is there already, one by one, so that nobody pays for another's luck."""
    try:
        with transaction.atomic():
            _store(rows)
    except IntegrityError as error:
        return [error] if len(rows) == 1 else [rows_store([row])[0] for row in rows]
    return list(rows)


_stored = GatheredInThreads(rows_store)


def _require_still(wish: Wish, row: IssuedToken) -> None:
    """Who lost the right while the token was made does not get it.

    Whoever takes the right from now on finds the row. The built-in node looks at when something was issued and needs no
    second look.
    """
    if row.provider == "builtin":
        return
    try:
        require_same_channel(wish_of(wish.asked), row)
    except DomainError:
        rows_withdraw([row])
        raise


def require_same_channel(wish: Wish, row: IssuedToken) -> None:
    """The show has not moved since the token was made. Raises Conflict."""
    if wish.session.channel_id != row.channel_id:
        raise Conflict("session.busy", "Somebody else is changing this show. Try again.", retry_after=1)


def rows_withdraw(rows: Sequence[IssuedToken]) -> list[IssuedToken | Exception]:
    """Tokens that were stored, and are not handed out after all."""
    IssuedToken.objects.filter(pk__in=[row.pk for row in rows]).update(revoked_at=timezone.now())
    return list(rows)


def _fallback(wish: Wish, tried: set[str]) -> str | None:
    """Where a host goes on whose provider does not answer; viewers follow the host, and move nobody."""
    if not wish.standing.is_host or wish.role != MediaRole.PUBLISHER:
        return None
    needed = set()
    if wish.session.visibility == Visibility.PRIVATE:
        needed.add(Capability.PRIVATE_SHOWS)
    from_encoder = wish.session.session_type == SessionType.ENCODER
    needed.add(Capability.ENCODER_PUBLISHES if from_encoder else Capability.BROWSER_PUBLISHES)
    if wish.session.guest_count:
        needed.add(Capability.STAGE)
    for name in settings.MEDIA_FALLBACK:
        if name not in tried and needed <= provider_named(name).capabilities:
            return str(name)
    return None


def _as_domain(error: ProviderError) -> DomainError:
    if isinstance(error, ProviderUnreachable):
        message = "The video service does not answer. Try again in a moment."
        return Unavailable("provider.unavailable", message, retry_after=round(error.retry_after, 1))
    return Unavailable(
        "provider.refused", "The video service refused. The people who run this site have to look at it."
    )


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def privileges_of(descriptor: JoinDescriptor) -> dict[str, bool]:
    """The privileges that a token carries."""
    return {
        "can_publish": descriptor.can_publish,
        "can_subscribe": descriptor.can_subscribe,
        "can_admin": descriptor.can_admin,
    }


# ---- Taking back ---------------------------------------------------------------------------------------------------


def tokens_good(now: datetime) -> QuerySet[IssuedToken]:
    """Those that open something now, as far as we are concerned."""
    return IssuedToken.objects.filter(revoked_at__isnull=True, expires_at__gt=now)


def tokens_revoke(rows: QuerySet[IssuedToken], now: datetime) -> int:
    """Mark somebody's as revoked; how many of them were good.

    Those that ran out are marked, too: a connection, or an address, may outlive its token, and the provider may have
    given its holder others since.
    """
    kept = rows.filter(revoked_at__isnull=True)
    counted = kept.filter(expires_at__gt=now).update(revoked_at=now)
    kept.update(revoked_at=now)
    if counted:
        TOKENS.labels("any", "revoked").inc(counted)
    return counted


def session_tokens_revoke(session_id: UUID, now: datetime) -> int:
    """Mark every good token of a session as revoked; how many. The provider refuses them by itself.

    Those that ran out stay as they are: a long show has hundreds of thousands, and they are of a room that is left.
    """
    revoked = tokens_good(now).filter(session_id=session_id).update(revoked_at=now)
    if revoked:
        TOKENS.labels("any", "revoked").inc(revoked)
    return revoked


def person_tokens_revoke(session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> int:
    """Mark one person's tokens of a session as revoked: all, or those to publish with."""
    theirs = IssuedToken.objects.filter(session_id=session_id, user_id=user_id)
    if lost == Lost.PUBLISHING:
        theirs = theirs.filter(role=MediaRole.PUBLISHER.value)
    return tokens_revoke(theirs, now)


def pass_read(token: str) -> Pass | None:
    """What a token is good for now; None when it was taken back, ran out, or was never handed out."""
    row = tokens_good(timezone.now()).filter(token_hash=token_hash(token)).first()
    if row is None:
        return None
    return Pass(
        session_id=row.session_id,
        user_id=row.user_id,
        uid=row.uid,
        provider=row.provider,
        channel_id=row.channel_id,
        role=MediaRole(row.role),
    )


# ---- Running out ---------------------------------------------------------------------------------------------------


def tokens_expiring_tell(*, now: datetime) -> int:
    """Tell holders whose token runs out soon, once each, unless they have a newer one; how many were told."""
    newer = IssuedToken.objects.filter(
        session_id=OuterRef("session_id"),
        user_id=OuterRef("user_id"),
        role=OuterRef("role"),
        expires_at__gt=OuterRef("expires_at"),
        revoked_at__isnull=True,
    )
    due = tokens_good(now).filter(
        expires_at__lte=now + TELL_BEFORE, told_at__isnull=True, user__isnull=False, session__state__in=OPEN
    )
    told = 0
    for row in due.exclude(Exists(newer)).order_by("expires_at")[:TOLD_AT_ONCE]:
        with transaction.atomic():
            if not IssuedToken.objects.filter(pk=row.pk, told_at__isnull=True).update(told_at=now):
                continue
            data = {
                "session": str(row.session_id),
                "provider": row.provider,
                "role": row.role,
                "expires_at": instant(row.expires_at),
            }
            event = TokenExpiring(session_id=row.session_id, at=now, data=data)
            publish(event, group=user_group(row.user_id)) if row.user_id else None
        told += 1
    return told


def tokens_forget(*, now: datetime) -> int:
    """Delete tokens that ran out a while ago, so many at once that it is soon done; how many. They prove nothing."""
    old = IssuedToken.objects.order_by().filter(expires_at__lt=now - KEEP_EXPIRED)
    deleted, _ = IssuedToken.objects.filter(pk__in=old.values("pk")[:FORGOTTEN_AT_ONCE]).delete()
    return deleted
