"""HLS playlists at this product's own address: fetched once for all viewers, and served to people allowed to watch at
that moment.

Segments do not pass here. A playlist is the same for everyone. A removed participant gets the last one at most
RIGHT_SECONDS later, and its segments end within seconds.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_safe

from accounts.async_authentication import SESSION_KEY_FORM, session_actor
from accounts.services import access_versions
from livestream.actors import Actor
from livestream.database import CROWDS
from livestream.errors import (
    DomainError,
    Invalid,
    Missing,
    NotAuthenticated,
    ProviderError,
    ProviderRejected,
    ProviderUnreachable,
    TooMany,
    Unavailable,
)
from livestream.ratelimit import TokenBucket
from livestream.rest import client_address, error_response
from providers.interface import PlaylistSource, RoomRef
from providers.playlists import Named, playlists_named, rewritten, same_playlist
from providers.registry import provider_named
from streams.services.provider.playlist_access import playlist_room

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
FRESH_SECONDS = 1.0
# Players ask several times a second, so the right to a show's playlists is cached for this long.
RIGHT_SECONDS = 1.0
RIGHTS_KEPT = 10_000
# Each check costs a visit to the database, so an address has only so many refused ones.
REFUSALS_AT_ONCE, REFUSALS_PER_SECOND = 60, 20.0
ADDRESSES_KEPT = 10_000
# If a blocking reload took longer than this, the right is checked again before the response.
LONG_SECONDS = 0.5
# The addresses of a show's playlists are cached for this long, unless they are refused.
ADDRESSES_SECONDS = 300.0
# Some renditions and audio tracks, each with two parts for which players wait. All viewers at one address request the
# same ones; a client that invents positions fills only its own share.
FETCHES_PER_SHOW, FETCHES_PER_ADDRESS = 32, 12
NOT_LIVE, REFUSED = frozenset({404, 410, 412}), frozenset({401, 403})
# Blocking reloads and delta updates of low-latency HLS.
DIRECTIVES = {
    "_HLS_msn": re.compile(r"[0-9]{1,10}"),
    "_HLS_part": re.compile(r"[0-9]{1,5}"),
    "_HLS_skip": re.compile(r"YES|v2"),
}
NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")

Key = tuple[str, ...]
_fetchers = ThreadPoolExecutor(max_workers=64, thread_name_prefix="playlist")
_loops: dict[asyncio.AbstractEventLoop, "Playlists"] = {}


@dataclass(frozen=True, slots=True)
class Right:
    """A right to a show's playlists, valid until a time of the monotonic clock."""

    actor: Actor
    room: RoomRef
    provider: str
    until: float


# By show, media token and session cookie.
_rights: dict[tuple[UUID, str, str], Right] = {}
# By address: what is left of its refused checks.
_refusals: dict[str, TokenBucket] = {}


@dataclass(slots=True)
class Kept:
    """A playlist that is being fetched or cached. Valid until a time of the loop's clock."""

    task: asyncio.Task[Any]
    address: str
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Main:
    """A multivariant playlist: its text for players, and the addresses of its playlists by name."""

    text: str
    addresses: dict[str, str]

    def address(self, name: str) -> str | None:
        """Return the address of a playlist. A renamed one matches by rendition if that is unique, otherwise by path."""
        what, _, where = name.partition("-")
        alike = [url for other, url in self.addresses.items() if other.startswith(f"{what}-")]
        there = [url for other, url in self.addresses.items() if other.endswith(f"-{where}")]
        return self.addresses.get(name) or next(iter((alike if len(alike) == 1 else []) + there), None)


class Playlists:
    """The playlists fetched by one process."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._kept: dict[Key, Kept] = {}

    async def main(self, provider: PlaylistSource, room: RoomRef) -> str:
        """Return the multivariant playlist, which names the others beside itself."""
        main = await self._main(provider, room, FRESH_SECONDS)
        return main.text

    async def media(
        self, provider: PlaylistSource, room: RoomRef, name: str, query: dict[str, str], *, address: str = ""
    ) -> str:
        """Return one of the named playlists for a client at an address. An expired one is fetched again."""
        key = (room.channel_id, "media", name, *(f"{one}={value}" for one, value in sorted(query.items())))
        make = partial(self._media, provider, room, name, query)
        return str(await self._once(key, FRESH_SECONDS, make, address=address))

    async def _media(self, provider: PlaylistSource, room: RoomRef, name: str, query: dict[str, str]) -> str:
        for age in (ADDRESSES_SECONDS, FRESH_SECONDS):
            main = await self._main(provider, room, age)
            url = main.address(name)
            if url is None:  # it may be newer than the cached multivariant playlist
                continue
            try:
                found = await self._fetch(provider, room=room, url=url, query=query)
            except ProviderRejected as error:
                if error.status not in NOT_LIVE | REFUSED or age == FRESH_SECONDS:
                    raise
                self._kept.pop((room.channel_id, "main"), None)
                continue
            return rewritten(found.text, base=found.url, playlist=partial(_file, main.addresses))
        raise Missing()

    async def _main(self, provider: PlaylistSource, room: RoomRef, age: float) -> Main:
        made: Main = await self._once(
            (room.channel_id, "main"), ADDRESSES_SECONDS, partial(self._make_main, provider, room), age=age
        )
        return made

    async def _make_main(self, provider: PlaylistSource, room: RoomRef) -> Main:
        found = await self._fetch(provider, room=room)
        addresses: dict[str, str] = {}
        for named in playlists_named(found.text, base=found.url):
            addresses.setdefault(_name(room, named), named.url)
        text = rewritten(found.text, base=found.url, playlist=partial(_file, addresses))
        return Main(text, addresses)

    async def _fetch(self, provider: PlaylistSource, **given: Any) -> Any:
        return await self._loop.run_in_executor(_fetchers, partial(provider.playlist, **given))

    async def _once(
        self,
        key: Key,
        seconds: float,
        make: Callable[[], Awaitable[Any]],
        *,
        age: float | None = None,
        address: str = "",
    ) -> Any:
        """Return the result for the key, at most `age` old. It is made once for all waiting callers and cached for
        `seconds`."""
        now = self._loop.time()
        kept = self._kept.get(key)
        if kept is not None and (not kept.task.done() or kept.until - seconds + (age or seconds) > now):
            return await asyncio.shield(kept.task)
        self._kept = {other: one for other, one in self._kept.items() if not one.task.done() or one.until > now}
        # The multivariant playlist is exempt: a fetch that waits for it already holds a place.
        if key[1] != "main":
            self._require_room(key[0], address)
        mine = Kept(asyncio.ensure_future(make()), address)
        self._kept[key] = mine

        def finished(task: asyncio.Task[Any]) -> None:
            failed = task.cancelled() or task.exception() is not None
            mine.until = 0.0 if failed else self._loop.time() + seconds

        mine.task.add_done_callback(finished)
        return await asyncio.shield(mine.task)

    def _require_room(self, channel_id: str, address: str) -> None:
        fetching = [one for key, one in self._kept.items() if key[0] == channel_id and not one.task.done()]
        of_address = sum(one.address == address for one in fetching)
        if len(fetching) >= FETCHES_PER_SHOW or of_address >= FETCHES_PER_ADDRESS:
            raise TooMany(retry_after=1)


def _name(room: RoomRef, named: Named) -> str:
    """Return the name of a playlist here: the same in all processes and in any order, and without information.

    The first half is a hash of the rendition, the second of its path, without host and signature.
    """
    named_by = {"what": named.what, "where": urlsplit(named.url).path}
    return "-".join(
        salted_hmac(f"streams.hls.{part}", f"{room.channel_id} {text}", algorithm="sha256").hexdigest()[:16]
        for part, text in named_by.items()
    )


def _file(addresses: dict[str, str], url: str) -> str | None:
    """Return the file name of a playlist of the show, beside its multivariant playlist, or None if it is not in
    there."""
    found = (name for name, known in addresses.items() if url == known)
    alike = (name for name, known in addresses.items() if same_playlist(url, known))
    name = next(found, next(alike, None))
    return None if name is None else f"{name}.m3u8"


@require_safe
async def hls_gateway(request: HttpRequest, session: UUID, name: str) -> HttpResponse:
    """Serve a playlist of a show to a client that may watch it now."""
    try:
        right = await _right(request, session)
        began = time.monotonic()
        provider = cast(PlaylistSource, provider_named(right.provider))
        text = await _playlist(right.room, provider, name, request)
        if time.monotonic() - began > LONG_SECONDS:
            await CROWDS.run(_look_again, session, _bearer(request), right.actor)
    except DomainError as error:
        response: HttpResponse = error_response(error)
        if error.status == 401:
            response["WWW-Authenticate"] = 'Bearer realm="media"'
    else:
        response = HttpResponse(text, content_type=PLAYLIST_TYPE)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Authorization, Cookie"
    return response


async def _playlist(room: RoomRef, provider: PlaylistSource, name: str, request: HttpRequest) -> str:
    loop = asyncio.get_running_loop()
    for stale in [other for other in _loops if other.is_closed()]:
        del _loops[stale]
    playlists = _loops.get(loop) or _loops.setdefault(loop, Playlists())
    try:
        if name == "main":
            return await playlists.main(provider, room)
        if not NAME.fullmatch(name):
            raise Missing()
        query, address = _directives(request), client_address(request)
        return await playlists.media(provider, room, name, query, address=address)
    except ProviderError as error:
        raise _as_domain(error) from None


async def _right(request: HttpRequest, session: UUID) -> Right:
    """Return the right of a request's credentials, cached for RIGHT_SECONDS. Refusals are not cached but counted.

    Raises TooMany without a check if its address was refused too often. Credentials that were valid at the last check
    are exempt, so that nobody at the same address is affected.
    """
    token, cookie = _bearer(request), request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    if not SESSION_KEY_FORM.match(cookie):
        cookie = ""  # anonymous in any case, and not cached
    key = (session, token, cookie)
    known = _rights.get(key)
    now = time.monotonic()  # before the query, so that the right is never older than this
    if known is not None and known.until > now:
        return known
    refusals = _refusals_of(client_address(request))
    if known is None and refusals.is_empty:
        raise TooMany(retry_after=1)
    try:
        actor = await session_actor(cookie)
        room, provider = await CROWDS.run(playlist_room, session_id=session, token=token, actor=actor)
    except DomainError:
        _rights.pop(key, None)
        refusals.take()
        raise
    if len(_rights) >= RIGHTS_KEPT:
        _rights.clear()
    right = _rights[key] = Right(actor, room, provider, now + RIGHT_SECONDS)
    return right


def _refusals_of(address: str) -> TokenBucket:
    if len(_refusals) >= ADDRESSES_KEPT:
        _refusals.clear()
    return _refusals.setdefault(address, TokenBucket(burst=REFUSALS_AT_ONCE, per_second=REFUSALS_PER_SECOND))


def _bearer(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _look_again(session: UUID, token: str, actor: Actor) -> None:
    """Check again, because the person's password or rights may have changed since the request."""
    if actor.user_id and access_versions([actor.user_id]).get(actor.user_id) != actor.access:
        raise NotAuthenticated()
    playlist_room(session_id=session, token=token, actor=actor)


def _directives(request: HttpRequest) -> dict[str, str]:
    """Return the query parameters to forward. All others are dropped."""
    given = {name: request.GET.get(name, "") for name in DIRECTIVES}
    return {name: value for name, value in given.items() if DIRECTIVES[name].fullmatch(value)}


def _as_domain(error: ProviderError) -> DomainError:
    status = error.status if isinstance(error, ProviderRejected) else 0
    if isinstance(error, ProviderUnreachable):
        message = "The video service isn't responding. Try again in a moment."
        return Unavailable("media.unavailable", message, retry_after=round(error.retry_after, 1))
    if status in NOT_LIVE:
        return Missing("media.not_live", "The host isn't sending video yet.", retry_after=2)
    if status == 400:
        return Invalid("invalid", "That part of the playlist doesn't exist.")
    return Unavailable(
        "provider.refused", "The video service rejected the request. Please contact the site's administrator."
    )
