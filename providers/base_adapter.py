"""The base of adapters: only joining is required; other operations are unsupported until overridden."""

from collections.abc import Mapping, Sequence

from django.conf import settings

from livestream.errors import ProviderUnsupported
from providers.interface import Capability, Presence, Revocation, RoomRef, SettingProblem


class Adapter:
    """Raises ProviderUnsupported for most operations that a subclass does not override."""

    name = ""
    capabilities: frozenset[Capability] = frozenset()
    revocation = Revocation.EXPIRES
    # All are required. A system check names missing ones.
    required_settings: tuple[str, ...] = ()

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Return missing settings. Subclasses add malformed ones."""
        missing = [name for name in cls.required_settings if not getattr(settings, name)]
        hint = f"The provider {cls.name} needs {', '.join(cls.required_settings)}."
        return [SettingProblem(name, "is not set", hint) for name in missing]

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Nothing to prepare."""
        return {}

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Unsupported."""
        raise ProviderUnsupported(self.name, "cannot mute")

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Unsupported."""
        raise ProviderUnsupported(self.name, "cannot stop a participant from publishing")

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """Nothing to call: a new stage role comes with a new token."""

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Unsupported."""
        raise ProviderUnsupported(self.name, "cannot remove participants")

    def close(self, *, room: RoomRef) -> None:
        """Nothing to close: credentials expire."""

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Unsupported."""
        raise ProviderUnsupported(self.name, "does not report publishers")

    def people(self, *, rooms: Sequence[RoomRef]) -> Mapping[str, Mapping[str, Presence]]:
        """Return the publishers, without kinds."""
        return {name: {uid: Presence() for uid in uids} for name, uids in self.publishers(rooms=rooms).items()}
