"""The pages of the properties that hold in a page."""

from tests.players.conftest import site, visitor, visitors

__all__ = ["site", "visitor", "visitors"]
