"""What an adapter is until it says otherwise: one that can let people join, and nothing else."""

from collections.abc import Mapping, Sequence

from django.conf import settings

from livestream.errors import ProviderUnsupported
from providers.base import Capability, Revocation, RoomRef, SettingProblem, There


class Adapter:
    """The base of adapters: what is not overridden is refused as unsupported, not passed over in silence."""

    name = ""
    capabilities: frozenset[Capability] = frozenset()
    revocation = Revocation.EXPIRES
    # All of them must be set; one that is missing is named at the start.
    required_settings: tuple[str, ...] = ()

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """What is missing. Adapters add what is malformed."""
        missing = [name for name in cls.required_settings if not getattr(settings, name)]
        hint = f"The provider {cls.name} needs {', '.join(cls.required_settings)}."
        return [SettingProblem(name, "is not set", hint) for name in missing]

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Nothing to make."""
        return {}

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Not here."""
        raise ProviderUnsupported(self.name, "cannot mute")

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Not here."""
        raise ProviderUnsupported(self.name, "cannot take somebody off the stage")

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """Nothing follows a place by itself here: who gets another place gets another token."""

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Not here."""
        raise ProviderUnsupported(self.name, "cannot remove anybody")

    def close(self, *, room: RoomRef) -> None:
        """Nothing to close: the credentials run out."""

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Not here."""
        raise ProviderUnsupported(self.name, "does not tell who sends")

    def people(self, *, rooms: Sequence[RoomRef]) -> Mapping[str, Mapping[str, There]]:
        """Who sends, and nothing about the kinds."""
        return {name: {uid: There() for uid in uids} for name, uids in self.publishers(rooms=rooms).items()}
