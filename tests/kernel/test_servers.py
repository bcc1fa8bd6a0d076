"""The servers of the tests themselves."""

import pytest

pytestmark = pytest.mark.waits


def test_the_product_answers_on_both_databases_and_layers(live):
    assert live.anybody.get("/health").data == {"status": "ok"}
    assert live.mo.get("auth/me/").data["is_staff"] is True
