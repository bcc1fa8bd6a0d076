"""The contract of every adapter. Each inherits this suite and declares its provider's setup and capabilities."""

import asyncio
import dataclasses
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from livestream.circuit_breaker import circuit_changed
from livestream.errors import ProviderError, ProviderUnreachable, ProviderUnsupported
from providers.interface import JOIN_WAITS, Capability, MediaRole, PersonRef, Revocation, RoomRef
from tests.circuits import circuits_forget

ADA, BEN = "ada", "ben"


class ProviderContract:
    """Inherited by one class for each adapter, which defines `stand_in` and `configured`."""

    adapter: type
    settings: dict[str, object] = {}
    # Secrets that must never appear in answers to people.
    secrets: tuple[str, ...] = ()
    uids = {ADA: "6f0f3a52-6a0d-4a55-9a54-0a4a4d3f8f01", BEN: "0b9e3c1e-2d5c-4f37-8d1a-7be0f7f9b502"}

    @pytest.fixture(autouse=True)
    def _calm(self, monkeypatch):
        monkeypatch.setattr(circuit_changed, "receivers", [])  # their record has a test of its own
        circuits_forget()
        yield
        circuits_forget()

    @pytest.fixture
    def stand_in(self):
        """The vendor's stand-in; None for a provider without an API."""
        return

    @pytest.fixture
    def provider(self, settings, stand_in):
        for name, value in (self.settings | self.addresses(stand_in)).items():
            setattr(settings, name, value)
        made = self.adapter()
        http = getattr(made, "_http", None)
        if hasattr(http, "_sleep"):
            http._sleep = lambda seconds: None
        return made

    def addresses(self, stand_in):
        """The settings with the address of the stand-in."""
        return {}

    @pytest.fixture
    def room(self, provider):
        room = RoomRef(session_id=uuid.uuid4(), channel_id=f"live-{uuid.uuid4().hex}", node="local")
        if Capability.NEEDS_ROOM in provider.capabilities:
            room = dataclasses.replace(room, external=provider.prepare(room=room))
        return room

    def name_of(self, room):
        """Return the stand-in's name of the room."""
        return room.channel_id

    def joined(self, provider, room, who, role, *, admin=False):
        person = PersonRef(uid=self.uids[who], name=who.capitalize(), stage="host" if who == ADA else "")
        return provider.join(room=room, person=person, role=role, is_admin=admin, now=datetime.now(UTC))

    def there(self, provider, stand_in, room):
        """Connect Ada and Ben, both on stage and publishing. Return the room as it is known then."""
        for who in (ADA, BEN):
            stand_in.enter(self.name_of(room), self.uids[who], ("audio", "video"))
        return room

    def asked(self, provider, room):
        """Make a request that requires a call to the provider."""
        provider.publishers(rooms=[room])

    # ---- Joining ----------------------------------------------------------------------------------------------

    def test_a_descriptor_has_all_that_is_needed(self, provider, room):
        for role in MediaRole:
            made = self.joined(provider, room, ADA, role, admin=True)

            assert made.provider == self.adapter.name
            assert (made.uid, made.channel_id) == (self.uids[ADA], room.channel_id)
            assert made.can_publish == (role == MediaRole.PUBLISHER)
            assert made.can_admin
            assert made.protocol
            json.dumps(dataclasses.asdict(made), default=str)

    def test_who_declares_no_wait_waits_for_nobody(self, provider, room):
        if JOIN_WAITS & provider.capabilities:
            pytest.skip(f"{self.adapter.name} is asked, or our database is, before anybody joins")

        async def on_the_loop():
            return [self.joined(provider, room, who, role).token for who in (ADA, BEN) for role in MediaRole]

        assert all(asyncio.run(on_the_loop()))

    def test_a_viewer_is_given_no_right_to_publish(self, provider, room):
        made = self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)

        assert not made.can_publish
        assert not made.can_admin
        assert made.can_subscribe

    def test_what_a_viewer_gets_runs_out_within_ten_minutes(self, provider, room):
        made = self.joined(provider, room, BEN, MediaRole.SUBSCRIBER)

        left = made.expires_at - datetime.now(UTC)
        life = 120 if provider.revocation is Revocation.EXPIRES and made.token else 600
        assert timedelta(seconds=life - 20) < left <= timedelta(seconds=life)

    def test_every_token_is_another_one(self, provider, room):
        made = [self.joined(provider, room, BEN, MediaRole.SUBSCRIBER) for _ in range(5)]

        if not made[0].shared_token:
            assert len({descriptor.token for descriptor in made}) == 5

    def test_the_installations_secrets_are_in_no_descriptor(self, provider, room):
        for role in MediaRole:
            shown = json.dumps(dataclasses.asdict(self.joined(provider, room, ADA, role)), default=str)
            assert not [secret for secret in self.secrets if secret in shown]

    # ---- Acting on people -------------------------------------------------------------------------------------

    def test_removing_somebody_removes_them_and_nobody_else(self, provider, room, stand_in):
        if provider.revocation is Revocation.EXPIRES or Capability.GATEWAY in provider.capabilities:
            pytest.skip(f"{self.adapter.name} removes nobody before their token ends, or ends connections one by one")
        room = self.there(provider, stand_in, room)

        provider.remove(room=room, uid=self.uids[BEN])

        assert stand_in.present(self.name_of(room)) == {self.uids[ADA]}
        assert stand_in.mistakes == []

    def test_what_opens_a_room_opens_no_other(self, provider, room):
        if Capability.GATEWAY in provider.capabilities or Capability.NEEDS_ROOM in provider.capabilities:
            pytest.skip(f"{self.adapter.name} has another way of leaving a room behind")
        other = dataclasses.replace(room, channel_id=f"live-{uuid.uuid4().hex}", session_id=uuid.uuid4())
        held, after = (self.joined(provider, one, BEN, MediaRole.SUBSCRIBER) for one in (room, other))
        assert (held.channel_id, held.token) != (after.channel_id, after.token)
        assert after.channel_id == other.channel_id

    def test_who_is_taken_off_the_stage_sends_nothing_and_watches_on(self, provider, room, stand_in):
        if provider.revocation is Revocation.EXPIRES or Capability.STAGE not in provider.capabilities:
            pytest.skip(f"{self.adapter.name} has no stage to be taken off")
        room = self.there(provider, stand_in, room)

        provider.unpublish(room=room, uid=self.uids[BEN])

        assert stand_in.senders(self.name_of(room)) == {self.uids[ADA]}
        assert stand_in.present(self.name_of(room)) == set(self.uids.values())
        assert stand_in.mistakes == []

    def test_muting_one_kind_of_one_person_leaves_the_rest(self, provider, room, stand_in):
        if Capability.MUTE_AT_SERVER not in provider.capabilities:
            pytest.skip(f"{self.adapter.name} does not mute")
        room = self.there(provider, stand_in, room)

        provider.mute(room=room, uid=self.uids[BEN], kind="audio", muted=True)

        assert stand_in.sending(self.name_of(room), self.uids[BEN]) == {"video"}
        assert stand_in.sending(self.name_of(room), self.uids[ADA]) == {"audio", "video"}
        assert stand_in.mistakes == []

    def test_unmuting_is_done_or_refused_but_not_passed_over(self, provider, room, stand_in):
        if Capability.MUTE_AT_SERVER not in provider.capabilities:
            pytest.skip(f"{self.adapter.name} does not mute")
        room = self.there(provider, stand_in, room)
        provider.mute(room=room, uid=self.uids[BEN], kind="audio", muted=True)

        if Capability.UNMUTE_AT_SERVER in provider.capabilities:
            provider.mute(room=room, uid=self.uids[BEN], kind="audio", muted=False)
            assert stand_in.sending(self.name_of(room), self.uids[BEN]) == {"audio", "video"}
        else:
            with pytest.raises(ProviderError):
                provider.mute(room=room, uid=self.uids[BEN], kind="audio", muted=False)

    def test_a_new_place_counts_at_once(self, provider, room, stand_in):
        if Capability.LIVE_ROLES not in provider.capabilities:
            pytest.skip(f"{self.adapter.name} needs another token for another role")
        room = self.there(provider, stand_in, room)
        provider.unpublish(room=room, uid=self.uids[BEN])

        provider.set_stage(room=room, uid=self.uids[BEN], stage="guest")
        assert stand_in.senders(self.name_of(room)) == set(self.uids.values())

        provider.set_stage(room=room, uid=self.uids[BEN], stage="")
        assert stand_in.senders(self.name_of(room)) == {self.uids[ADA]}

    def test_who_is_not_there_can_be_removed_without_harm(self, provider, room, stand_in):
        if provider.revocation is Revocation.EXPIRES or Capability.GATEWAY in provider.capabilities:
            pytest.skip(f"{self.adapter.name} removes nobody")

        provider.remove(room=room, uid=self.uids[BEN])

        assert stand_in.mistakes == []

    @pytest.mark.parametrize("verb", ["remove", "unpublish", "mute"])
    def test_nobody_in_particular_is_never_everybody(self, provider, room, stand_in, verb):
        if provider.revocation is Revocation.EXPIRES or self.adapter.name in ("builtin", "whip"):
            pytest.skip(f"{self.adapter.name} has no such rule")
        room = self.there(provider, stand_in, room)
        more = {"kind": "audio", "muted": True} if verb == "mute" else {}
        for uid in ("", "0", "*"):
            try:
                getattr(provider, verb)(room=room, uid=uid, **more)
            except ProviderError:
                continue

        assert stand_in.senders(self.name_of(room)) == set(self.uids.values())

    def test_what_a_provider_cannot_do_is_said(self, provider, room):
        verbs = {
            Capability.MUTE_AT_SERVER: lambda: provider.mute(room=room, uid="1", kind="audio", muted=True),
            Capability.HOST_PRESENCE: lambda: provider.publishers(rooms=[room]),
        }
        for capability, call in verbs.items():
            if capability not in provider.capabilities:
                with pytest.raises(ProviderUnsupported):
                    call()

    # ---- The room ---------------------------------------------------------------------------------------------

    def test_closing_ends_everybodys_media_and_twice_is_once(self, provider, room, stand_in):
        if Capability.GATEWAY in provider.capabilities:
            pytest.skip(f"{self.adapter.name} ends connections one by one")
        if stand_in is None:
            provider.close(room=room)
            return
        room = self.there(provider, stand_in, room)

        provider.close(room=room)
        provider.close(room=room)

        assert stand_in.present(self.name_of(room)) == set()
        assert stand_in.mistakes == []

    def test_who_sends_can_be_asked(self, provider, room, stand_in):
        if Capability.HOST_PRESENCE not in provider.capabilities:
            pytest.skip(f"{self.adapter.name} does not tell")
        assert provider.publishers(rooms=[room]).get(str(room.session_id), set()) == set()

        room = self.there(provider, stand_in, room)

        assert provider.publishers(rooms=[room])[str(room.session_id)] == self.senders_told()
        assert stand_in.mistakes == []

    def senders_told(self):
        """Return the publishers that the provider names when Ada and Ben publish."""
        return set(self.uids.values())

    # ---- Failures ---------------------------------------------------------------------------------------------

    def test_a_provider_that_is_away_is_unreachable(self, provider, room, stand_in):
        if stand_in is None:
            pytest.skip(f"{self.adapter.name} is never called")
        stand_in.stop()

        with pytest.raises(ProviderUnreachable):
            self.asked(provider, room)

    def test_a_provider_that_stumbles_once_is_asked_again(self, provider, room, stand_in):
        if stand_in is None or Capability.HOST_PRESENCE not in provider.capabilities or self.adapter.name == "builtin":
            pytest.skip(f"{self.adapter.name} is not asked twice")
        room = self.there(provider, stand_in, room)
        stand_in.broken = [503, 500]

        assert provider.publishers(rooms=[room])[str(room.session_id)] == self.senders_told()

    # ---- Settings ---------------------------------------------------------------------------------------------

    def test_a_whole_configuration_has_no_problem(self, provider):
        assert [problem for problem in provider.settings_problems() if problem.fatal] == []

    def test_each_missing_setting_is_named(self, provider, settings):
        for name in self.adapter.required_settings:
            kept = getattr(settings, name)
            setattr(settings, name, "")
            assert name in {problem.setting for problem in provider.settings_problems() if problem.fatal}
            setattr(settings, name, kept)
