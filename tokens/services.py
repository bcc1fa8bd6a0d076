"""Media tokens: issued in batches to authorized callers, stored by hash, and revoked with the right."""

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
from streams.services.provider.media_pass import Pass
from streams.services.provider.provider_rooms import room_prepare, room_ref
from streams.services.provider.uids import provider_uid
from streams.services.show.provider_failover import session_provider_switch
from streams.services.show.sessions import session_refused
from streams.services.stage.stage_uids import media_uid, media_uid_claim
from tokens.authorization import AuthorizedRequest, TokenRequest, authorize, authorize_all
from tokens.models import IssuedToken
from tokens.provider_bulkhead import provider_place

TRIES = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A token that is signed but not issued yet."""

    request: AuthorizedRequest
    descriptor: JoinDescriptor
    row: IssuedToken


def media_token_issue(*, session_id: UUID, actor: Actor, role: MediaRole) -> JoinDescriptor:
    """Issue a join descriptor for a role that the actor holds. Anonymous viewers may watch sessions that are not
    private.

    Raises Denied for a role the actor does not hold, Conflict once the session is over, Unavailable while the provider
    is unavailable. A host whose provider is unavailable moves to the next one of MEDIA_FALLBACK.
    """
    (answer,) = media_tokens_issue([TokenRequest(session_id, actor, role)])
    if isinstance(answer, Exception):
        raise answer
    return media_token_from_provider(answer) if isinstance(answer, AuthorizedRequest) else answer


def media_tokens_issue(requests: Sequence[TokenRequest]) -> list[JoinDescriptor | AuthorizedRequest | Exception]:
    """Issue a join descriptor for each request, in order; refused ones get their error. A failing request fails alone.

    The number of queries does not depend on the number of requests. An AuthorizedRequest in the result must go to
    `media_token_from_provider`: the provider has to be called, or did not create a token at once.
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
    """Issue a token that requires a call to its provider, outside any transaction.

    If a host's provider is unavailable, the show moves to the next one of MEDIA_FALLBACK. Raises Unavailable.
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
    """Issue a token for the Agora channel of a session, for the requested uid if it is free.

    Raises Missing for a channel without a session, Conflict for a session with another provider.
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
    """Return a token that needs only a signature, or the request itself if the provider must be called."""
    try:
        _require_carried(request)
        session, provider = request.session, provider_named(request.session.provider)
        if JOIN_WAITS & provider.capabilities:
            return request
        uid = provider_uid(session=session, user_id=request.actor.user_id)
        return _draft(request, room=room_ref(session), uid=uid, join=provider.join)
    except ProviderError:
        return request
    except Exception as error:  # a bug in an adapter must not cost the rest of the batch their tokens
        return error


def _asked_for(request: AuthorizedRequest) -> JoinDescriptor:
    _require_carried(request)
    provider = provider_named(request.session.provider)
    if Capability.NEEDS_ROOM not in provider.capabilities:
        return _issue(request, room=room_ref(request.session), join=provider.join)
    # Around the provider calls only, so that lookups and storing do not hold a place.
    with provider_place():
        room = room_prepare(request.session)
    return _issue(request, room=room, join=provider_place()(provider.join))


def _issue(request: AuthorizedRequest, *, room: RoomRef, join: Callable[..., JoinDescriptor]) -> JoinDescriptor:
    """Create a token and store it. If another with the same hash exists, try again."""
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
    """Require that the show's provider supports the request. Raises Conflict."""
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
    """Return the database row of a token."""
    pk = uuid4()
    # A token shared by all viewers is made unique for its hash.
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
    """Store tokens, then authorize them again: any removal from now on finds the rows. IntegrityError stands for a
    token that already exists."""
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
    """Store all rows at once, or one by one if that fails, so that one failing row does not fail the batch. Return
    errors by id."""
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
    """Return the errors of people who lost the right while their token was made, by row id. The built-in node
    refuses such tokens itself, by their time of issue."""
    judged = [one for one in drafts if one.row.provider != "builtin"]
    lost: dict[UUID, Exception] = {}
    for draft, now in zip(judged, authorize_all([one.request.unchecked for one in judged]), strict=True):
        if isinstance(now, Exception):
            lost[draft.row.pk] = now
        elif now.session.channel_id != draft.row.channel_id:
            busy = "Someone else is changing this show. Try again."
            lost[draft.row.pk] = Conflict("session.busy", busy, retry_after=1)
    return lost


def _naming_host(request: AuthorizedRequest, made: JoinDescriptor) -> JoinDescriptor:
    """Add the host's uid if the provider identifies people by numbers, so that players know which video is the show."""
    if Capability.NUMERIC_UIDS not in provider_named(made.provider).capabilities:
        return made
    host_uid = media_uid(session=request.session, user_id=request.session.host_id)
    return replace(made, details={**made.details, "host_uid": host_uid})


def _fallback(request: AuthorizedRequest, tried: set[str]) -> str | None:
    """Return the provider to which a host moves when theirs does not respond. Viewers follow and never cause a move."""
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
    """Return the hash under which a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def privileges_of(descriptor: JoinDescriptor) -> dict[str, bool]:
    """Return the privileges that a token carries."""
    return {
        "can_publish": descriptor.can_publish,
        "can_subscribe": descriptor.can_subscribe,
        "can_admin": descriptor.can_admin,
    }


# ---- Revocation ------------------------------------------------------------------------------------------------------


def tokens_valid(now: datetime) -> QuerySet[IssuedToken]:
    """Return the tokens that are neither revoked nor expired."""
    return IssuedToken.objects.filter(revoked_at__isnull=True, expires_at__gt=now)


def tokens_revoke(rows: QuerySet[IssuedToken], now: datetime) -> int:
    """Mark tokens as revoked. Return how many of them were valid.

    Expired ones are marked too: a connection, or an address, may outlive its token, and the provider may have renewed
    it.
    """
    kept = rows.filter(revoked_at__isnull=True)
    counted = kept.filter(expires_at__gt=now).update(revoked_at=now)
    kept.update(revoked_at=now)
    if counted:
        TOKENS.labels("any", "revoked").inc(counted)
    return counted


def session_tokens_revoke(session_id: UUID, now: datetime) -> int:
    """Mark all valid tokens of a session as revoked. Return how many. The provider refuses them itself.

    Expired ones stay as they are: a long show has hundreds of thousands, and their room is gone.
    """
    revoked = tokens_valid(now).filter(session_id=session_id).update(revoked_at=now)
    if revoked:
        TOKENS.labels("any", "revoked").inc(revoked)
    return revoked


def person_tokens_revoke(session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> int:
    """Mark a person's tokens of a session as revoked: all, or only those for publishing."""
    theirs = IssuedToken.objects.filter(session_id=session_id, user_id=user_id)
    if lost == Lost.PUBLISHING:
        theirs = theirs.filter(role=MediaRole.PUBLISHER.value)
    return tokens_revoke(theirs, now)


def pass_read(token: str) -> Pass | None:
    """Return the scope of a valid token, or None if it is revoked, expired or unknown."""
    row = tokens_valid(timezone.now()).filter(token_hash=token_hash(token)).first()
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
