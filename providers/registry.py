"""Providers by name, as configured in the settings."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from livestream.errors import Invalid
from providers.interface import Capability, Provider


@cache
def _load(path: str) -> Provider:
    provider: Provider = import_string(path)()
    return provider


def provider_named(name: str) -> Provider:
    """Return the provider. Raises Invalid for one that this installation does not have."""
    path = settings.PROVIDERS.get(name)
    if path is None:
        known = ", ".join(sorted(settings.PROVIDERS))
        raise Invalid("provider.unknown", f"Unknown provider. Known: {known}.")
    return _load(path)


def provider_can(name: str, capability: Capability) -> bool:
    """Return whether the provider is configured and has a capability."""
    return name in settings.PROVIDERS and capability in provider_named(name).capabilities


def providers_with(capability: Capability) -> list[str]:
    """Return the names of configured providers with a capability."""
    return [name for name in settings.PROVIDERS if capability in provider_named(name).capabilities]
