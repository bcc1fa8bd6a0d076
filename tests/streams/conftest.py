"""Fixtures that the tests of shows share."""

import pytest

from tests.streams.fake_node import FakeNode


@pytest.fixture
def node(settings):
    """A media node that records its calls."""
    fake = FakeNode()
    settings.MEDIA_URL_INTERNAL = fake.url
    yield fake
    fake.stop()
