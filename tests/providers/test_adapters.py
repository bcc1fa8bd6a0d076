"""The contract, for every adapter, and the specifics of each."""

import dataclasses
import time

import jwt
import pytest
from django.conf import settings as django_settings

from livestream.errors import ProviderError, ProviderRejected, ProviderUnreachable, ProviderUnsupported
from providers.agora import AgoraProvider
from providers.agora_007 import token_verified
from providers.builtin import BuiltinProvider
from providers.daily import DailyProvider
from providers.http import AnswerTooLong
from providers.interface import Capability, MediaRole, Resource, Revocation
from providers.livekit import LiveKitProvider
from providers.mux import MuxProvider
from providers.whip import WhipProvider
from tests.providers.contract import ADA, BEN, ProviderContract
from tests.providers.setups import PRIVATE_KEY, PUBLIC_KEY
from tests.providers.stand_ins import (
    AgoraStandIn,
    DailyStandIn,
    LiveKitStandIn,
    MuxStandIn,
    NodeStandIn,
    Raw,
    WhipStandIn,
    running,
)

APP_ID, CERTIFICATE = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
LONG = "a secret that is long enough for anybody who asks"


class TestBuiltin(ProviderContract):
    adapter = BuiltinProvider
    secrets = (django_settings.MEDIA_SECRET,)

    @pytest.fixture
    def stand_in(self):
        with running(NodeStandIn, secret=django_settings.MEDIA_SECRET, node="local") as server:
            yield server

    def addresses(self, stand_in):
        return {"MEDIA_URL_INTERNAL": stand_in.url}

    def name_of(self, room):
        return str(room.session_id)


class TestWhip(ProviderContract):
    adapter = WhipProvider
    settings = {"WHIP_TOKEN_SECRET": LONG, "WHIP_TOKEN": ""}
    secrets = (LONG, "capability")

    @pytest.fixture
    def stand_in(self):
        with running(WhipStandIn, secret=LONG) as server:
            yield server

    def addresses(self, stand_in):
        ways = {"WHIP_PUBLISH_URL": "whip", "WHIP_WATCH_URL": "whep"}
        return {name: f"{stand_in.url}/{{channel}}/{way}" for name, way in ways.items()}

    def opened(self, provider, room, who, role=MediaRole.PUBLISHER):
        made = provider.open(room=room, uid=self.uids[who], role=role, offer=WhipStandIn.OFFER)
        return made, Resource(name=who, uid=self.uids[who], role=role, url=made.url)

    def there(self, provider, stand_in, room):
        for who in (ADA, BEN):
            self.opened(provider, room, who)
        return room

    def asked(self, provider, room):
        self.opened(provider, room, ADA)

    def test_people_get_our_own_address_and_nothing_of_the_servers(self, provider, room, stand_in):
        made = [self.joined(provider, room, ADA, role) for role in MediaRole]

        assert [(one.protocol, one.url) for one in made] == [
            ("whip", f"{django_settings.PUBLIC_URL}/whip/{room.session_id}"),
            ("whep", f"{django_settings.PUBLIC_URL}/whep/{room.session_id}"),
        ]
        assert stand_in.url not in str(made)
        assert stand_in.requests == []

    def test_each_request_has_a_token_of_its_own_that_names_person_channel_and_role(self, provider, room, stand_in):
        self.opened(provider, room, ADA)
        for role in MediaRole:
            _, resource = self.opened(provider, room, BEN, role)
            provider.end(room=room, resource=resource)

        told = [(one["sub"], one["channel"], one["role"]) for one in stand_in.tokens]
        ada, ben = (self.uids[who] for who in (ADA, BEN))
        sent, watched = ("publisher", "subscriber")
        assert told == [
            (who, room.channel_id, role)
            for who, role in ((ada, sent), (ben, sent), (ben, sent), (ben, watched), (ben, watched))
        ]
        assert len({one["jti"] for one in stand_in.tokens}) == 5

    def test_one_connection_ends_and_no_other_and_twice_is_once(self, provider, room, stand_in):
        self.opened(provider, room, ADA)
        _, sending = self.opened(provider, room, BEN)
        self.opened(provider, room, BEN, MediaRole.SUBSCRIBER)

        for _ in range(2):
            provider.end(room=room, resource=sending)

        assert stand_in.senders(room.channel_id) == {self.uids[ADA]}
        assert stand_in.present(room.channel_id) == set(self.uids.values())

    def test_a_fixed_token_goes_to_the_server_and_to_nobody_else(self, provider, room, stand_in, settings):
        settings.WHIP_TOKEN_SECRET, settings.WHIP_TOKEN = "", "fixed"
        stand_in.fixed = "fixed"

        made = self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)
        _, resource = self.opened(provider, room, ADA)
        provider.end(room=room, resource=resource)

        assert "fixed" not in str(made)
        assert (made.shared_token, stand_in.open, stand_in.mistakes) == (False, {}, [])
        assert Capability.PRIVATE_SHOWS in provider.capabilities
        assert provider.settings_problems() == []

    def test_the_answer_comes_with_relay_servers_and_no_other_links(self, provider, room):
        made, _ = self.opened(provider, room, ADA)

        assert (made.answer, made.etag, made.links) == (WhipStandIn.ANSWER, '"first"', (WhipStandIn.RELAY,))

    @pytest.mark.parametrize(
        "location",
        [
            "http://169.254.169.254/{channel}/{name}",
            "//elsewhere.example/{name}",
            "https://127.0.0.1/{name}",
            "http://127.0.0.1:1/{name}",
            "file:///etc/passwd",
            "http://[::1/{name}",
            "",
        ],
    )
    def test_a_connection_that_is_not_the_servers_own_is_not_taken(self, provider, room, stand_in, location):
        stand_in.location = location

        with pytest.raises(ProviderRejected):
            self.opened(provider, room, ADA)

        assert len(stand_in.requests) == 1

    @pytest.mark.parametrize(("where", "made"), [("/{channel}/whip?again", 1), ("http://127.0.0.1:9/", 0)])
    def test_a_redirection_is_followed_on_the_server_itself(self, provider, room, stand_in, where, made):
        answer = stand_in.answer

        def redirected(*request):
            stand_in.answer = answer
            return 307, Raw(headers={"Location": where.format(channel=room.channel_id)})

        stand_in.answer = redirected
        try:
            self.opened(provider, room, ADA)
        except ProviderRejected:
            assert made == 0

        assert stand_in.made == made

    def test_a_redirection_in_a_circle_is_left(self, provider, room, stand_in):
        stand_in.answer = lambda *_: (307, Raw(headers={"Location": "/round/whip"}))

        with pytest.raises(ProviderRejected):
            self.opened(provider, room, ADA)

        assert len(stand_in.requests) == 3

    def test_an_answer_without_an_end_is_not_taken_in(self, provider, room, stand_in):
        stand_in.answer = lambda *_: (201, Raw(b"v" * (1024 * 1024 + 1), {"Location": "/a"}))

        with pytest.raises(AnswerTooLong):
            self.opened(provider, room, ADA)

    def test_an_offer_is_not_made_twice(self, provider, room, stand_in):
        stand_in.broken = [502]

        with pytest.raises(ProviderUnreachable):
            self.opened(provider, room, ADA)

        assert len(stand_in.requests) == 1

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"WHIP_TOKEN_SECRET": ""}, "WHIP_TOKEN_SECRET"),
            ({"WHIP_TOKEN": "both"}, "WHIP_TOKEN_SECRET"),
            ({"WHIP_TOKEN_SECRET": "short"}, "WHIP_TOKEN_SECRET"),
            ({"WHIP_WATCH_URL": "https://media.example/whep"}, "WHIP_WATCH_URL"),
            ({"WHIP_PUBLISH_URL": "media.example/{channel}"}, "WHIP_PUBLISH_URL"),
        ],
    )
    def test_a_half_configuration_is_named(self, provider, settings, changes, named):
        for name, value in changes.items():
            setattr(settings, name, value)

        assert named in {one.setting for one in provider.settings_problems() if one.fatal}


class TestAgora(ProviderContract):
    adapter = AgoraProvider
    settings = {
        "AGORA_APP_ID": APP_ID,
        "AGORA_APP_CERTIFICATE": CERTIFICATE,
        "AGORA_CUSTOMER_ID": "customer",
        "AGORA_CUSTOMER_SECRET": "rest secret",
        "AGORA_WEBHOOK_SECRET": ["hook secret"],
    }
    secrets = (CERTIFICATE, "rest secret", "hook secret")
    uids = {ADA: "101", BEN: "4294967295"}

    @pytest.fixture
    def stand_in(self):
        with running(AgoraStandIn, app_id=APP_ID, customer="customer", secret="rest secret") as server:
            yield server

    def addresses(self, stand_in):
        return {"AGORA_API_URL": stand_in.url}

    def test_the_token_is_for_this_channel_and_uid_and_role(self, provider, room):
        made = self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)

        contents = token_verified(token=made.token, certificate=CERTIFICATE, now=int(time.time()))
        (service,) = contents.services
        assert (service.channel, service.uid, service.privileges) == (room.channel_id, "4294967295", {1: 600})
        assert contents.issued_at + contents.lifetime == made.expires_at.timestamp()
        assert made.details == {"app_id": APP_ID, "client_role": "audience"}

    def test_a_rule_outlives_what_the_person_holds_and_names_channel_and_uid(self, provider, room, stand_in):
        provider.remove(room=room, uid="7")
        provider.unpublish(room=room, uid="7")

        common = {"appid": APP_ID, "time": 12, "cname": room.channel_id, "uid": 7}
        assert stand_in.rules == [
            common | {"privileges": ["join_channel"]},
            common | {"privileges": ["publish_audio", "publish_video"]},
        ]

    @pytest.mark.parametrize("uid", ["", "0", "-1", "4294967296", "1.5", "ada", " 7", "٣"])
    def test_no_rule_is_made_for_a_uid_that_is_none(self, provider, room, stand_in, uid):
        for call in (provider.remove, provider.unpublish):
            with pytest.raises(ProviderRejected):
                call(room=room, uid=uid)

        assert stand_in.requests == []

    @pytest.mark.parametrize("channel", ["", " /", "*", "x" * 64])
    def test_no_rule_is_made_for_a_channel_that_is_none(self, provider, room, stand_in, channel):
        odd = dataclasses.replace(room, channel_id=channel)

        for call in (lambda: provider.remove(room=odd, uid="7"), lambda: provider.close(room=odd)):
            with pytest.raises(ProviderError):
                call()

        assert stand_in.requests == []

    def test_without_rest_keys_nobody_can_be_cut_off_and_that_is_said(self, provider, room, settings):
        settings.AGORA_CUSTOMER_ID = settings.AGORA_CUSTOMER_SECRET = ""

        assert provider.revocation is Revocation.EXPIRES
        assert Capability.MUTE_AT_SERVER not in provider.capabilities
        with pytest.raises(ProviderUnsupported):
            provider.remove(room=room, uid="7")

    def test_what_production_should_have_is_a_warning(self, provider):
        problems = {one.setting: one.fatal for one in provider.settings_problems()}

        assert problems == {"AGORA_COHOST_AUTHENTICATION": False}

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"AGORA_APP_ID": "short"}, "AGORA_APP_ID"),
            ({"AGORA_APP_CERTIFICATE": "z" * 32}, "AGORA_APP_CERTIFICATE"),
            ({"AGORA_TOKEN_VERSION": "005"}, "AGORA_TOKEN_VERSION"),
            ({"AGORA_CUSTOMER_SECRET": ""}, "AGORA_CUSTOMER_SECRET"),
            ({"AGORA_CUSTOMER_ID": ""}, "AGORA_CUSTOMER_ID"),
        ],
    )
    def test_a_half_configuration_is_named(self, provider, settings, changes, named):
        for name, value in changes.items():
            setattr(settings, name, value)

        assert named in {one.setting for one in provider.settings_problems() if one.fatal}


class TestLiveKit(ProviderContract):
    adapter = LiveKitProvider
    settings = {"LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": LONG}
    secrets = (LONG,)

    @pytest.fixture
    def stand_in(self):
        with running(LiveKitStandIn, key="APIkey", secret=LONG) as server:
            yield server

    def addresses(self, stand_in):
        return {"LIVEKIT_URL": stand_in.url.replace("http", "ws")}

    @pytest.mark.parametrize("verb", ["remove", "unpublish"])
    def test_the_server_is_not_asked_about_nobody_in_particular(self, provider, room, stand_in, verb):
        with pytest.raises(ProviderRejected):
            getattr(provider, verb)(room=room, uid="")

        assert stand_in.requests == []

    def test_a_room_of_thousands_is_told_whole(self, provider, room, stand_in):
        for number in range(3000):
            stand_in.enter(room.channel_id, f"{number:0>400}")
        stand_in.enter(room.channel_id, "sender", ("video",))
        stand_in.enter(room.channel_id, "quiet", may_publish=True)

        there = provider.people(rooms=[room])[str(room.session_id)]

        assert len(there) == 3002
        assert (there["sender"].kinds, there["sender"].sends) == ({"video"}, True)
        assert {uid for uid, one in there.items() if one.may_send} == {"sender", "quiet"}
        assert provider.publishers(rooms=[room]) == {str(room.session_id): {"sender"}}

    @pytest.mark.parametrize("role", list(MediaRole))
    def test_the_grants_are_the_least_that_the_role_needs(self, provider, room, role):
        made = self.joined(provider, room, BEN, role, admin=True)

        claims = jwt.decode(made.token, LONG, algorithms=["HS256"], issuer="APIkey")
        publishes = role == MediaRole.PUBLISHER
        expected = {
            "roomJoin": True,
            "room": room.channel_id,
            "canSubscribe": True,
            "canPublish": publishes,
            "canPublishData": False,
            "canUpdateOwnMetadata": False,
        }
        if publishes:
            expected["canPublishSources"] = ["camera", "microphone", "screen_share", "screen_share_audio"]
        assert claims["video"] == expected
        assert (claims["sub"], claims["name"]) == (self.uids[BEN], "Ben")
        assert claims["exp"] - claims["nbf"] == 600
        assert made.url.startswith("ws://")

    @pytest.mark.parametrize(
        ("changes", "named"),
        [({"LIVEKIT_URL": "media.example"}, "LIVEKIT_URL"), ({"LIVEKIT_API_SECRET": "short"}, "LIVEKIT_API_SECRET")],
    )
    def test_a_half_configuration_is_named(self, provider, settings, changes, named):
        for name, value in changes.items():
            setattr(settings, name, value)

        assert {one.setting for one in provider.settings_problems()} == {named}


class TestDaily(ProviderContract):
    adapter = DailyProvider
    settings = {"DAILY_API_KEY": "daily key"}
    secrets = ("daily key",)

    @pytest.fixture
    def stand_in(self):
        with running(DailyStandIn, key="daily key") as server:
            yield server

    def addresses(self, stand_in):
        return {"DAILY_API_URL": stand_in.url}

    def test_a_room_that_is_there_already_is_found(self, provider, room, stand_in):
        assert provider.prepare(room=room) == room.external
        assert len(stand_in.made) == 1

    def test_a_viewers_token_allows_to_receive_and_nothing_else(self, provider, room, stand_in):
        self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)

        asked = stand_in.tokens[-1]
        assert asked["permissions"] == {"hasPresence": False, "canSend": False, "canAdmin": False}
        assert (asked["room_name"], asked["user_id"]) == (room.channel_id, self.uids[BEN])
        assert asked["enable_screenshare"] is False

    def test_who_was_muted_in_all_they_send_can_be_heard_again(self, provider, room, stand_in):
        self.there(provider, stand_in, room)
        for kind in ("audio", "video", "screen"):
            provider.mute(room=room, uid=self.uids[ADA], kind=kind, muted=True)

        provider.mute(room=room, uid=self.uids[ADA], kind="audio", muted=False)

        assert stand_in.sending(self.name_of(room), self.uids[ADA]) == {"audio"}
        assert stand_in.mistakes == []

    def test_no_token_is_asked_for_without_a_room(self, provider, room, stand_in):
        asked = len(stand_in.requests)

        with pytest.raises(ProviderRejected):
            self.joined(provider, dataclasses.replace(room, channel_id=""), BEN, MediaRole.SUBSCRIBER)

        assert len(stand_in.requests) == asked


class TestMux(ProviderContract):
    adapter = MuxProvider
    settings = {
        "MUX_TOKEN_ID": "mux id",
        "MUX_TOKEN_SECRET": "mux secret",
        "MUX_SIGNING_KEY_ID": "key-1",
        "MUX_SIGNING_PRIVATE_KEY": PRIVATE_KEY,
        "MUX_WEBHOOK_SIGNING_SECRET": ["hook secret"],
    }
    secrets = ("mux secret", PRIVATE_KEY, "hook secret")

    @pytest.fixture
    def stand_in(self):
        with running(MuxStandIn, token_id="mux id", secret="mux secret", key=PUBLIC_KEY) as server:
            yield server

    def addresses(self, stand_in):
        return {"MUX_API_URL": stand_in.url, "MUX_PLAYBACK_URL": f"{stand_in.url}/playback"}

    def senders_told(self):
        return {"host"}

    def test_what_is_kept_of_a_stream_holds_no_key(self, provider, room):
        assert room.external == {"live_stream_id": "ls-1", "playback_id": "pb-1", "policy": "signed"}

    def test_the_host_gets_the_stream_key_and_nobody_else(self, provider, room):
        host = self.joined(provider, room, ADA, MediaRole.PUBLISHER)
        viewer = self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)

        assert (host.protocol, host.token) == ("rtmps", "key-1-secret")
        assert "key-1-secret" not in str(viewer)

    def test_removing_somebody_removes_them_and_nobody_else(self, provider, room, stand_in):
        """A viewer's token opens nothing at the server, so nobody can be removed there: our own address refuses."""
        self.there(provider, stand_in, room)

        made = self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)
        provider.remove(room=room, uid=self.uids[BEN])

        assert (made.protocol, made.url) == ("hls", f"{django_settings.PUBLIC_URL}/hls/{room.session_id}/main.m3u8")
        assert not [known for known in (stand_in.url, "pb-1", "ls-1") if known in str(made)]
        assert stand_in.senders(room.channel_id) == set(self.uids.values())

    def test_a_playlist_is_fetched_with_a_token_for_this_stream_that_ends(self, provider, room, stand_in):
        self.there(provider, stand_in, room)

        found = provider.playlist(room=room)

        token = found.url.partition("?token=")[2]
        claims = jwt.decode(token, PUBLIC_KEY, algorithms=["RS256"], audience="v")
        assert jwt.get_unverified_header(token)["kid"] == "key-1"
        assert claims["sub"] == "pb-1"
        assert 0 < claims["exp"] - time.time() <= 600
        assert "#EXT-X-STREAM-INF" in found.text
        assert stand_in.mistakes == []

    def test_a_show_that_is_not_on_air_has_no_playlist_yet(self, provider, room):
        with pytest.raises(ProviderRejected) as raised:
            provider.playlist(room=room)

        assert raised.value.status == 412

    @pytest.mark.parametrize(
        "url",
        [
            "http://169.254.169.254/latest.m3u8",
            "https://mux.com.elsewhere.example/a.m3u8",
            "https://notmux.com/a.m3u8",
            "http://manifest.mux.com/a.m3u8",
            "https://manifest.mux.com:8443/a.m3u8",
            "https://user@elsewhere.example/.mux.com",
            "file:///etc/passwd",
            "https://[/a.m3u8",
        ],
    )
    def test_a_playlist_elsewhere_is_not_fetched(self, provider, room, stand_in, url):
        asked = len(stand_in.requests)

        with pytest.raises(ProviderRejected):
            provider.playlist(room=room, url=url)

        assert len(stand_in.requests) == asked

    def test_what_is_no_playlist_is_not_handed_on(self, provider, room, stand_in):
        stand_in.answer_to = lambda *_: (200, Raw(b"<html>"))

        with pytest.raises(ProviderRejected):
            provider.playlist(room=room)

    def test_taking_the_right_to_send_makes_another_key(self, provider, room):
        provider.unpublish(room=room, uid=self.uids[ADA])

        assert self.joined(provider, room, ADA, MediaRole.PUBLISHER).token != "key-1-secret"

    def test_making_a_stream_is_not_repeated_when_the_answer_is_lost(self, provider, room, stand_in):
        stand_in.broken = [502]

        with pytest.raises(ProviderError):
            provider.prepare(room=room)

        assert len(stand_in.streams) == 1

    def test_without_a_signing_key_the_address_is_everybodys(self, provider, room, settings, stand_in):
        settings.MUX_SIGNING_KEY_ID = settings.MUX_SIGNING_PRIVATE_KEY = ""
        public = dataclasses.replace(room, external=provider.prepare(room=room))

        made = self.joined(provider, public, BEN, MediaRole.SUBSCRIBER)

        assert (made.token, made.shared_token) == ("", True)
        assert Capability.PRIVATE_SHOWS not in provider.capabilities
        assert {one.setting: one.fatal for one in provider.settings_problems()} == {"MUX_SIGNING_KEY_ID": False}

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"MUX_SIGNING_KEY_ID": ""}, "MUX_SIGNING_KEY_ID"),
            ({"MUX_SIGNING_PRIVATE_KEY": ""}, "MUX_SIGNING_PRIVATE_KEY"),
            ({"MUX_SIGNING_PRIVATE_KEY": "bm8ga2V5"}, "MUX_SIGNING_PRIVATE_KEY"),
        ],
    )
    def test_a_half_configuration_is_named(self, provider, settings, changes, named):
        for name, value in changes.items():
            setattr(settings, name, value)

        assert {one.setting for one in provider.settings_problems() if one.fatal} == {named}
