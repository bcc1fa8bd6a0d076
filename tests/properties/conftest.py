"""The browser and the pages of the properties that hold in a page; one browser for all of them."""

from tests.players.conftest import browser, site, visitor, visitors

__all__ = ["browser", "site", "visitor", "visitors"]
