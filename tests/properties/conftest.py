"""The pages of the properties that are tested in a page."""

from tests.players.conftest import site, visitor, visitors

__all__ = ["site", "visitor", "visitors"]
