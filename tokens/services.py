"""Media tokens: issued in batches to those who may have them, remembered by hash, and revoked with the right."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from livestream.actors import SYSTEM, Actor
from livestream.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotAuthenticated,
    ProviderError,
    ProviderUnreachable,
    Unavailable,
)
from livestream.metrics import TOKENS
from providers.agora import AgoraProvider
from providers.agora_tokens import VERSIONS
from providers.interface import JOIN_WAITS, Capability, JoinDescriptor, MediaRole, PersonRef, RoomRef
from providers.registry import provider_named
from streams.models import SessionType, StreamSession, Visibility
from streams.services.people.revocation import Lost
from streams.services.people.token_lookup import Pass
from streams.services.provider.rooms import room_prepare, room_ref
from streams.services.provider.uids import provider_uid
from streams.services.show.provider_failover import session_provider_switch
from streams.services.show.sessions import session_refused
from streams.services.stage.stage_uids import media_uid, media_uid_claim
from tokens.authorization import AuthorizedRequest, TokenRequest, authorize, authorize_all
from tokens.models import IssuedToken
from tokens.provider_bulkhead import wait_for_provider

TRIES = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A token that was made and is not handed out yet."""

    request: AuthorizedRequest
    descriptor: JoinDescriptor
    row: IssuedToken


def media_token_issue(*, session_id: UUID, actor: Actor, role: MediaRole) -> JoinDescriptor:
    """Issue a join descriptor for a role that the actor holds. Anonymous viewers may watch what is not private.

    Raises Denied for a role the actor does not hold, Conflict once the session is over, Unavailable while the
    provider is away. A host whose provider is away goes on with the next one of MEDIA_FALLBACK.
    """
    (answer,) = media_tokens_issue([TokenRequest(session_id, actor, role)])
    if isinstance(answer, Exception):
        raise answer
    return media_token_from_provider(answer) if isinstance(answer, AuthorizedRequest) else answer


def media_tokens_issue(requests: Sequence[TokenRequest]) -> list[JoinDescriptor | AuthorizedRequest | Exception]:
    """Issue a join descriptor for each request, in order, or say why not; a request that fails fails alone.

    As many queries for a crowd as for one. An AuthorizedRequest is left to `media_token_from_provider`: the show's
    provider has to be asked, or made no token at once.
    """
    signed = [_signed(one) if isinstance(one, AuthorizedRequest) else one for one in authorize_all(requests)]
    outcomes = iter(_issued([one for one in signed if isinstance(one, _Draft)]))
    answers: list[JoinDescriptor | AuthorizedRequest | Exception] = []
    for one in signed:
        if isinstance(one, _Draft):
            outcome = next(outcomes)
            answers.append(one.request if isinstance(outcome, IntegrityError) else outcome)
        else:
            answers.append(one)
    return answers


def media_token_from_provider(request: AuthorizedRequest) -> JoinDescriptor:
    """Issue a token that may take a while: its provider is asked for it. Calls the provider outside any transaction.

    Where a host's provider is away the show goes on with the next one of MEDIA_FALLBACK. Raises Unavailable.
    """
    session_id = request.session.pk
    tried: set[str] = set()
    while True:
        try:
            return _asked_for(request)
        except ProviderError as error:
            provider = request.session.provider
            tried.add(provider)
            TOKENS.labels(provider, "failed").inc()
            logger.warning("no token from the provider session=%s error=%s", session_id, error)
            following = _fallback(request, tried)
            if following is None or error.permanent:
                if error.permanent and request.role == MediaRole.PUBLISHER and request.standing.is_host:
                    session_refused(session_id=session_id)
                raise _as_domain(error) from None
            session_provider_switch(session_id=session_id, actor=SYSTEM, provider=following)
            TOKENS.labels(following, "fell_back").inc()
            request = authorize(request.unchecked)


def agora_token_issue(
    *, channel: str, actor: Actor, role: MediaRole, uid: int | None = None, with_rtm: bool = False
) -> JoinDescriptor:
    """Issue a token for the Agora channel of a session; for the uid that is asked for, where nobody else has it.

    Raises Missing for a channel that is no session's, Conflict for a session that has another provider.
    """
    if actor.user_id is None:
        raise NotAuthenticated()
    found = StreamSession.objects.filter(channel_id=channel).values_list("pk", flat=True).first()
    request = authorize(TokenRequest(found or uuid4(), actor, role))
    provider = provider_named(request.session.provider)
    if not isinstance(provider, AgoraProvider):
        raise Conflict("token.other_provider", "This show doesn't use Agora. Request its own media token.")
    if with_rtm and VERSIONS[0] != settings.AGORA_TOKEN_VERSION:
        raise Invalid("token.rtm_needs_007", "Media and signalling in one token need tokens of version 007.")
    if uid is not None:
        media_uid_claim(session=request.session, user_id=actor.user_id, number=uid)
    return _issue(request, room=room_ref(request.session), join=partial(provider.join_with, with_rtm=with_rtm))


def _signed(request: AuthorizedRequest) -> _Draft | AuthorizedRequest | Exception:
    """A token that is nothing but a signature; the request itself where that is not enough."""
    try:
        _require_carried(request)
        session, provider = request.session, provider_named(request.session.provider)
        if JOIN_WAITS & provider.capabilities:
            return request
        uid = provider_uid(session=session, user_id=request.actor.user_id)
        return _draft(request, room=room_ref(session), uid=uid, join=provider.join)
    except ProviderError:
        return request
    except Exception as error:  # whatever an adapter does wrong, the others of the crowd get their tokens
        return error


def _asked_for(request: AuthorizedRequest) -> JoinDescriptor:
    _require_carried(request)
    provider = provider_named(request.session.provider)
    if Capability.NEEDS_ROOM not in provider.capabilities:
        return _issue(request, room=room_ref(request.session), join=provider.join)
    # Around the calls alone: what is looked up and stored for a crowd waits for no provider.
    with wait_for_provider():
        room = room_prepare(request.session)
    return _issue(request, room=room, join=wait_for_provider()(provider.join))


def _issue(request: AuthorizedRequest, *, room: RoomRef, join: Callable[..., JoinDescriptor]) -> JoinDescriptor:
    """Have a token made and store it. Two that happen to be the same are not both handed out."""
    uid = media_uid(session=request.session, user_id=request.actor.user_id)
    for _ in range(TRIES):
        (answer,) = _issued([_draft(request, room=room, uid=uid, join=join)])
        if isinstance(answer, IntegrityError):
            continue
        if isinstance(answer, Exception):
            raise answer
        return _naming_host(request, answer)
    raise Unavailable(retry_after=1)


def _require_carried(request: AuthorizedRequest) -> None:
    """The show's provider can do what the request needs. Raises Conflict."""
    provider = provider_named(request.session.provider)
    if request.session.visibility == Visibility.PRIVATE and Capability.PRIVATE_SHOWS not in provider.capabilities:
        raise Conflict("provider.not_private", "This show's provider can't limit who watches.")
    publishes = request.role == MediaRole.PUBLISHER
    if publishes and not request.standing.is_host and Capability.STAGE not in provider.capabilities:
        raise Conflict("provider.no_stage", "This show's provider doesn't support guests.")


def _draft(request: AuthorizedRequest, *, room: RoomRef, uid: str, join: Callable[..., JoinDescriptor]) -> _Draft:
    standing = request.standing
    person = PersonRef(
        uid=uid,
        name=request.actor.display_name or "Guest",
        stage=str(standing.role) if standing.can_publish else "",
    )
    made = join(room=room, person=person, role=request.role, is_admin=standing.is_host, now=request.now)
    return _Draft(request, made, _row_of(request, made))


def _row_of(request: AuthorizedRequest, made: JoinDescriptor) -> IssuedToken:
    """What is kept of a token."""
    pk = uuid4()
    # One that everybody gets says nothing, and is no secret of this holder.
    kept = f"{pk}:{made.token}" if made.shared_token else made.token
    return IssuedToken(
        pk=pk,
        user_id=request.actor.user_id,
        session_id=request.session.pk,
        provider=made.provider,
        token_hash=token_hash(kept),
        channel_id=made.channel_id,
        uid=made.uid,
        role=request.role.value,
        privileges=privileges_of(made),
        created_at=request.now,
        expires_at=made.expires_at,
    )


def _issued(drafts: Sequence[_Draft]) -> list[JoinDescriptor | Exception]:
    """Store tokens, then check again: whoever loses the right from now on finds the row. IntegrityError for a token
    that is there already."""
    refusals: dict[UUID, Exception] = rows_store([draft.row for draft in drafts])
    stored = [draft for draft in drafts if draft.row.pk not in refusals]
    lost = _lost_meanwhile(stored)
    if lost:
        IssuedToken.objects.filter(pk__in=lost).update(revoked_at=timezone.now())
    refusals |= lost
    for draft in stored:
        if draft.row.pk not in lost:
            TOKENS.labels(draft.descriptor.provider, "issued").inc()
    return [refusals.get(draft.row.pk, draft.descriptor) for draft in drafts]


def rows_store(rows: Sequence[IssuedToken]) -> dict[UUID, Exception]:
    """Store all at once; one by one where that fails, so one failing row does not fail the batch. Errors by id."""
    if not rows:
        return {}
    try:
        with transaction.atomic():
            IssuedToken.objects.bulk_create(rows)
    except (IntegrityError, DataError) as error:
        if len(rows) == 1:
            return {rows[0].pk: error}
        return {pk: one for row in rows for pk, one in rows_store([row]).items()}
    return {}


def _lost_meanwhile(drafts: Sequence[_Draft]) -> dict[UUID, Exception]:
    """Who lost the right while their token was made, by the id of its row. The built-in node refuses such a token by
    itself: it knows when it was issued."""
    judged = [one for one in drafts if one.row.provider != "builtin"]
    lost: dict[UUID, Exception] = {}
    for draft, now in zip(judged, authorize_all([one.request.unchecked for one in judged]), strict=True):
        if isinstance(now, Exception):
            lost[draft.row.pk] = now
        elif now.session.channel_id != draft.row.channel_id:
            busy = "Somebody else is changing this show. Try again."
            lost[draft.row.pk] = Conflict("session.busy", busy, retry_after=1)
    return lost


def _naming_host(request: AuthorizedRequest, made: JoinDescriptor) -> JoinDescriptor:
    """Where people are numbers, players are told the host's: else they would not know whose picture is the show."""
    if Capability.NUMERIC_UIDS not in provider_named(made.provider).capabilities:
        return made
    host_uid = media_uid(session=request.session, user_id=request.session.host_id)
    return replace(made, details={**made.details, "host_uid": host_uid})


def _fallback(request: AuthorizedRequest, tried: set[str]) -> str | None:
    """Where a host goes on whose provider does not answer; viewers follow the host, and move nobody."""
    if not request.standing.is_host or request.role != MediaRole.PUBLISHER:
        return None
    needed = set()
    if request.session.visibility == Visibility.PRIVATE:
        needed.add(Capability.PRIVATE_SHOWS)
    from_encoder = request.session.session_type == SessionType.ENCODER
    needed.add(Capability.ENCODER_PUBLISHES if from_encoder else Capability.BROWSER_PUBLISHES)
    if request.session.guest_count:
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
        "provider.refused", "The video service rejected the request. Please contact the site's administrator."
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
