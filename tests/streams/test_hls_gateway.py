"""Playlists at our own address: fetched once for all, given to authorised viewers, without personal contents."""

import asyncio
import threading
import time
from dataclasses import replace
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.services import password_set
from livestream.actors import actor_of
from livestream.errors import Missing, ProviderUnreachable, TooMany
from providers.interface import MediaRole
from providers.playlists import playlists_named
from providers.registry import provider_named
from streams.gateways import hls
from streams.gateways.hls import FETCHES_PER_ADDRESS, FETCHES_PER_SHOW, FRESH_SECONDS, LONG_SECONDS, Playlists
from streams.models import StreamSession
from streams.services.people.removal import participant_kick
from streams.services.provider.provider_rooms import room_ref
from streams.services.show.sessions import session_end
from tests.bodies import assert_error
from tests.cast import let_in, make_show
from tests.gateway import names, playlist, token_for
from tests.providers.setups import stand_in_of
from tokens.models import IssuedToken

CDN = "{url}/playback/"
MAIN = """#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="{audio}.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180,CODECS="avc1.42c00d,mp4a.40.2",AUDIO="a"
{video}.m3u8
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="{cdn}init.mp4?signed=c"
#EXTINF:2,
{cdn}chunk/7.m4s?signed=c
#EXT-X-PART:DURATION=0.33,URI="{cdn}chunk/8.0.m4s?signed=c"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{cdn}chunk/8.1.m4s?signed=c"
#EXT-X-RENDITION-REPORT:URI="{audio}.m3u8",LAST-MSN=8
"""


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rights(monkeypatch):
    """Check every request anew, except in the tests of the cache. No address was refused yet."""
    monkeypatch.setattr(hls, "RIGHT_SECONDS", 0.0)
    monkeypatch.setattr(hls, "_refusals", {})


@pytest.fixture
def mux(settings):
    with stand_in_of("mux", settings) as server:
        yield server


@pytest.fixture
def show(mux, ada):
    """Ada's show at Mux; her encoder sends."""
    session = make_show(ada, provider="mux")
    token_for(session, ada, MediaRole.PUBLISHER)
    mux.enter(session.channel_id, "host", ("audio", "video"))
    return session


class Viewer:
    """One browser, or app, that requests a show's playlist again and again."""

    def __init__(self, show, *, user=None, token=""):
        self._client, self._show = Client(headers={"Authorization": f"Bearer {token}"} if token else {}), show
        if user is not None:
            self._client.force_login(user)

    def asks(self):
        return self._client.get(f"/hls/{self._show.pk}/main.m3u8")


def fetched(mux):
    return [path for _, path, _ in mux.requests if path.startswith("/playback/")]


def test_a_viewer_gets_playlists_of_ours_and_segments_of_the_vendors(mux, show, ben):
    token = token_for(show, ben)

    main = playlist(show, token)
    called = names(main.content.decode())
    media = playlist(show, token, called["video"])

    assert (main.status_code, main.content.decode()) == (200, MAIN.format(**called))
    assert (media.status_code, media.content.decode()) == (200, MEDIA.format(cdn=f"{mux.url}/playback/", **called))
    assert main["Content-Type"] == "application/vnd.apple.mpegurl"
    assert main["Cache-Control"] == media["Cache-Control"] == "no-store"
    assert mux.mistakes == []


def test_no_playlist_address_and_no_token_of_the_vendor_is_told(mux, show, ben):
    token = token_for(show, ben)

    main = playlist(show, token).content.decode()
    shown = main + "".join(playlist(show, token, name).content.decode() for name in names(main).values())

    assert "EXTINF" in shown
    secrets = (token, "token=", "signature=", "pb-1", "steering", "elsewhere", str(ben.pk))
    assert not [secret for secret in secrets if secret in shown]


def test_what_low_latency_players_ask_for_is_handed_on_and_nothing_else(mux, show, ben):
    token = token_for(show, ben)
    name = names(playlist(show, token).content.decode())["video"]

    playlist(show, token, name, query="?_HLS_msn=8&_HLS_part=1&_HLS_skip=YES&token=theirs&_HLS_push=1")
    playlist(show, token, name, query="?_HLS_msn=8%26signature%3Dx&_HLS_skip=all")

    asked = [path for path in fetched(mux) if "video" in path]
    assert asked == [
        "/playback/video.m3u8?signature=first&_HLS_msn=8&_HLS_part=1&_HLS_skip=YES",
        "/playback/video.m3u8?signature=first",
    ]


def test_a_browser_of_its_own_player_is_known_by_its_cookie_or_is_nobody(mux, show, ben):
    assert playlist(show, user=ben).status_code == 200
    assert playlist(show).status_code == 200
    StreamSession.objects.filter(pk=show.pk).update(visibility="private")
    assert_error(playlist(show), 404, "session.missing")
    assert_error(playlist(show, user=ben), 404, "session.missing")
    let_in(StreamSession.objects.get(pk=show.pk), ben)
    assert playlist(show, user=ben).status_code == 200


def test_a_token_opens_its_own_show_alone(mux, ada, show, ben):
    other = make_show(ada, provider="mux")

    assert_error(playlist(other, token_for(show, ben)), 403, "media.wrong_session")
    refused = playlist(show, "nobody's")
    assert_error(refused, 401, "media.bad_token")
    assert refused["WWW-Authenticate"] == 'Bearer realm="media"'
    assert fetched(mux) == []


def test_what_is_not_there_is_missing(mux, show, ada, ben):
    token = token_for(show, ben)

    for name in ("1", "other", f"{'0' * 16}-{'0' * 16}"):
        assert_error(playlist(show, token, name), 404, "missing")
    for session in (make_show(ada), make_show(ada, provider="mux")):
        assert_error(playlist(session), 404, "media.not_live")
    assert_error(playlist(StreamSession(pk=uuid4())), 404, "session.missing")


def test_before_the_encoder_sends_one_is_told_to_wait(mux, show, ben):
    mux.rooms.clear()

    answer = playlist(show, token_for(show, ben))

    assert_error(answer, 404, "media.not_live")
    assert answer["Retry-After"] == "2"


def test_a_vendor_that_is_away_is_said_to_be(mux, show, ben):
    mux.broken = [503]

    assert_error(playlist(show, token_for(show, ben)), 503, "media.unavailable")


def test_a_show_that_is_over_has_no_playlist(mux, show, ada, ben):
    token = token_for(show, ben)

    session_end(session_id=show.pk, actor=actor_of(ada))

    assert_error(playlist(show, token), 401, "media.bad_token")
    assert_error(playlist(show, user=ben), 409, "session.ended")


@pytest.mark.parametrize("as_browser", [False, True])
def test_who_is_removed_while_a_reload_waits_gets_no_answer_to_it(mux, show, ada, ben, cleo, as_browser):
    let_in(show, ben)
    held = {user: token_for(show, user) for user in (ben, cleo)}
    name = names(playlist(show, held[ben]).content.decode())["video"]
    answer, waiting = mux.answer_to, threading.Event()

    def kicked_meanwhile(*request):
        if waiting.is_set():
            participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)
        time.sleep(LONG_SECONDS + 0.1)
        return answer(*request)

    def waited_for(user):
        waited = {"user": user} if as_browser else {"token": held[user]}
        return playlist(show, name=name, query=f"?_HLS_msn=9&_HLS_part={user is cleo:d}", **waited)

    mux.answer_to = kicked_meanwhile
    assert waited_for(cleo).status_code == 200
    waiting.set()

    refused = waited_for(ben)

    assert_error(refused, *((403, "session.kicked") if as_browser else (401, "media.bad_token")))
    assert mux.mistakes == []


def test_a_new_password_while_a_reload_waits_leaves_it_without_an_answer(mux, show, ben):
    let_in(show, ben)
    name = names(playlist(show, token_for(show, ben)).content.decode())["video"]
    answer = mux.answer_to

    def changed_meanwhile(*request):
        password_set(user_id=ben.pk, password="another correct horse 8")
        time.sleep(LONG_SECONDS + 0.1)
        return answer(*request)

    mux.answer_to = changed_meanwhile

    assert playlist(show, name=name, user=ben, query="?_HLS_msn=9&_HLS_part=1").status_code == 401


@pytest.mark.parametrize("as_browser", [False, True])
def test_the_right_is_kept_for_a_moment_and_ends_with_it(mux, show, ada, ben, as_browser, monkeypatch):
    let_in(show, ben)
    kept, clock = 1.0, [time.monotonic()]
    monkeypatch.setattr(hls, "RIGHT_SECONDS", kept)
    monkeypatch.setattr(hls.time, "monotonic", lambda: clock[0])
    credentials = {"user": ben} if as_browser else {"token": token_for(show, ben)}
    browser = Viewer(show, **credentials)
    assert browser.asks().status_code == 200

    participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)
    clock[0] += kept - 0.1
    within = browser.asks()
    clock[0] += 0.2
    after = browser.asks()

    assert within.status_code == 200
    assert_error(after, *((403, "session.kicked") if as_browser else (401, "media.bad_token")))


def test_a_kept_right_is_of_one_show_and_one_persons_credentials(mux, show, ada, ben, monkeypatch):
    monkeypatch.setattr(hls, "RIGHT_SECONDS", 60.0)
    private = make_show(ada, provider="mux", visibility="private")
    token_for(private, ada, MediaRole.PUBLISHER)
    held = token_for(show, ben)

    assert playlist(private, user=ada).status_code != 404
    assert playlist(show, held).status_code == 200
    assert_error(playlist(private), 404, "session.missing")
    assert_error(playlist(private, user=ben), 404, "session.missing")
    assert_error(playlist(private, held), 403, "media.wrong_session")


def test_refusals_are_not_kept_and_the_rights_are_bounded(mux, show, ben, monkeypatch):
    monkeypatch.setattr(hls, "RIGHT_SECONDS", 60.0)
    monkeypatch.setattr(hls, "RIGHTS_KEPT", 2)
    held = token_for(show, ben)
    token_row = IssuedToken.objects.filter(user=ben)
    token_row.update(revoked_at=timezone.now())
    assert_error(playlist(show, held), 401, "media.bad_token")
    token_row.update(revoked_at=None)

    assert playlist(show, held).status_code == 200
    for _ in range(3):
        assert playlist(show, token_for(show, ben)).status_code == 200
    assert len(hls._rights) <= 2


def test_an_address_refused_too_often_is_not_checked_again_and_its_viewers_go_on(mux, show, ben, monkeypatch):
    monkeypatch.setattr(hls, "REFUSALS_AT_ONCE", 3)
    monkeypatch.setattr(hls, "REFUSALS_PER_SECOND", 0.001)
    checked = Mock(wraps=hls.playlist_room)
    monkeypatch.setattr(hls, "playlist_room", checked)
    viewer = Viewer(show, token=token_for(show, ben))
    assert viewer.asks().status_code == 200

    answers = [playlist(show, f"made-up-{number}") for number in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert_error(answers[-1], 429, "too_many")
    assert checked.call_count == 4
    assert viewer.asks().status_code == 200
    elsewhere = Client(REMOTE_ADDR="198.51.100.7").get(
        f"/hls/{show.pk}/main.m3u8", headers={"Authorization": "Bearer x"}
    )
    assert elsewhere.status_code == 401


def test_a_removed_viewer_who_keeps_asking_is_one_refused_like_others(mux, show, ada, ben, monkeypatch):
    monkeypatch.setattr(hls, "REFUSALS_AT_ONCE", 2)
    monkeypatch.setattr(hls, "REFUSALS_PER_SECOND", 0.001)
    let_in(show, ben)
    viewer = Viewer(show, token=token_for(show, ben))
    assert viewer.asks().status_code == 200

    participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)

    assert [viewer.asks().status_code for _ in range(4)] == [401, 401, 429, 429]


# ---- One fetch for all ---------------------------------------------------------------------------------------------


@pytest.fixture
def source(mux, show):
    """The provider and its room of the show, for code that needs no database."""
    return provider_named("mux"), room_ref(show)


def test_a_thousand_viewers_cost_one_request(mux, source):
    provider, room = source

    async def crowd():
        playlists = Playlists()
        mains = await asyncio.gather(*(playlists.main(provider, room) for _ in range(1000)))
        name, query = names(mains[0])["video"], {"_HLS_msn": "8"}
        medias = await asyncio.gather(*(playlists.media(provider, room, name, query) for _ in range(1000)))
        return set(mains), set(medias)

    mains, medias = asyncio.run(crowd())

    assert (len(mains), len(medias)) == (1, 1)
    assert len(fetched(mux)) == 2


def test_a_playlist_is_as_old_as_a_second_at_most(mux, source):
    provider, room = source

    async def later():
        playlists = Playlists()
        name = names(await playlists.main(provider, room))["video"]
        await playlists.media(provider, room, name, {})
        await asyncio.sleep(FRESH_SECONDS + 0.05)
        await playlists.media(provider, room, name, {})

    asyncio.run(later())

    assert len([path for path in fetched(mux) if "video" in path]) == 2
    assert len([path for path in fetched(mux) if "pb-1" in path]) == 1


def test_addresses_that_have_run_out_are_looked_up_anew(mux, source):
    provider, room = source

    async def long_show():
        playlists = Playlists()
        name = names(await playlists.main(provider, room))["video"]
        mux.signature = "second"
        return await playlists.media(provider, room, name, {})

    assert "chunk/7.m4s" in asyncio.run(long_show())
    assert len(fetched(mux)) == 4


def test_a_failure_is_not_kept(mux, source):
    provider, room = source

    async def stumbling():
        playlists = Playlists()
        mux.broken = [503]
        first = await asyncio.gather(playlists.main(provider, room), return_exceptions=True)
        return first, await playlists.main(provider, room)

    (failed,), text = asyncio.run(stumbling())

    assert isinstance(failed, Exception)
    assert text == MAIN.format(**names(text))


def test_one_show_cannot_have_everything_fetched_at_once(mux, source):
    provider, room = source
    answer = mux.answer_to
    mux.answer_to = lambda *request: (time.sleep(0.3), answer(*request))[1]

    async def flood():
        playlists = Playlists()
        name = names(await playlists.main(provider, room))["video"]
        numbers = map(str, range(FETCHES_PER_SHOW + 8))
        asked = (playlists.media(provider, room, name, {"_HLS_msn": one}, address=one) for one in numbers)
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(flood())

    assert sum(isinstance(one, TooMany) for one in answers) == 8
    assert sum(isinstance(one, str) for one in answers) == FETCHES_PER_SHOW


def test_who_makes_up_positions_keeps_nobody_from_theirs(mux, source):
    provider, room = source
    answer = mux.answer_to
    mux.answer_to = lambda *request: (time.sleep(0.3), answer(*request))[1]

    async def flood():
        playlists = Playlists()
        name, other = names(await playlists.main(provider, room)).values()
        numbers = map(str, range(FETCHES_PER_SHOW))
        made_up = [playlists.media(provider, room, name, {"_HLS_msn": one}, address="192.0.2.1") for one in numbers]
        honest = playlists.media(provider, room, other, {"_HLS_msn": "7"}, address="192.0.2.2")
        return await asyncio.gather(*made_up, honest, return_exceptions=True)

    *made_up, honest = asyncio.run(flood())

    assert isinstance(honest, str)
    assert sum(isinstance(one, TooMany) for one in made_up) == FETCHES_PER_SHOW - FETCHES_PER_ADDRESS


def test_a_show_that_stands_still_takes_no_other_with_it(mux, source):
    provider, room = source
    main = provider.playlist(room=room)
    address = playlists_named(main.text, base=main.url)[0].url
    mux.broken = [503] * 6

    for _ in range(6):
        with pytest.raises(ProviderUnreachable):
            provider.playlist(room=room, url=address, query={"_HLS_msn": "9"})

    assert provider.playlist(room=room).text == main.text


# ---- Names ---------------------------------------------------------------------------------------------------------

SMALL = """#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=160x90,CODECS="avc1.42c00d,mp4a.40.2",AUDIO="a"
{url}/playback/small.m3u8?signature={signature}
"""


def fetched_by_name(mux, source, change):
    """Return the paths that are fetched by the names of the audio and the video rendition, once the show has changed.

    Another process, which has only seen the later state, is asked by the same names and has to find the same.
    """
    provider, room = source

    async def asked(playlists, called):
        found = {}
        for kind, name in called.items():
            await playlists.media(provider, room, name, {})
            found[kind] = fetched(mux)[-1].partition("?")[0].removeprefix("/playback/")
        return found

    async def both():
        known = Playlists()
        called = names(await known.main(provider, room))
        change()
        known._kept.clear()
        return await asked(known, called), await asked(Playlists(), called)

    of_known, of_other = asyncio.run(both())
    assert of_known == of_other
    return of_known


def test_a_rendition_that_is_added_before_the_others_leaves_them_their_names(mux, source):
    def added():
        mux.MAIN = mux.MAIN.replace("#EXT-X-MEDIA", f"{SMALL}#EXT-X-MEDIA")

    assert fetched_by_name(mux, source, added) == {"audio": "audio.m3u8", "video": "video.m3u8"}


def test_another_order_leaves_all_their_names(mux, source):
    def turned():
        lines = mux.MAIN.splitlines(keepends=True)
        mux.MAIN = "".join(lines[:3] + lines[4:] + lines[3:4])

    assert fetched_by_name(mux, source, turned) == {"audio": "audio.m3u8", "video": "video.m3u8"}


def test_a_playlist_that_has_moved_is_known_by_what_it_is(mux, source):
    def moved():
        mux.MAIN = mux.MAIN.replace("video.m3u8", "again/video.m3u8").replace("900000", "870000")

    assert fetched_by_name(mux, source, moved) == {"audio": "audio.m3u8", "video": "again/video.m3u8"}


def test_a_playlist_of_another_size_is_known_by_where_it_is(mux, source):
    def grown():
        mux.MAIN = mux.MAIN.replace("320x180", "640x360")

    assert fetched_by_name(mux, source, grown) == {"audio": "audio.m3u8", "video": "video.m3u8"}


def test_one_that_may_be_either_of_two_is_not_guessed(mux, source):
    def doubled():
        twin = SMALL.replace("160x90", "320x180")
        mux.MAIN = f"{mux.MAIN.replace('video.m3u8', 'again/video.m3u8')}{twin}"

    with pytest.raises(Missing):
        fetched_by_name(mux, source, doubled)


def test_the_names_of_one_show_are_none_in_another(mux, source):
    provider, room = source
    other = replace(room, channel_id="another")

    async def crossed():
        playlists = Playlists()
        name = names(await playlists.main(provider, room))["video"]
        await playlists.media(provider, room, name, {})
        return await asyncio.gather(playlists.media(provider, other, name, {}), return_exceptions=True)

    (refused,) = asyncio.run(crossed())

    assert isinstance(refused, Missing)


def test_a_name_nobody_knows_asks_the_vendor_once_a_second_at_most(mux, source):
    provider, room = source

    async def guessing():
        playlists = Playlists()
        guesses = [playlists.media(provider, room, f"{one:016x}-{one:016x}", {}, address=str(one)) for one in range(30)]
        return await asyncio.gather(*guesses, return_exceptions=True)

    answers = asyncio.run(guessing())

    assert {type(one) for one in answers} == {Missing}
    assert len(fetched(mux)) == 1
