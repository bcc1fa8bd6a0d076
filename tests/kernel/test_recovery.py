"""The recovery table: complete, sensible, and the same for the pages."""

import pytest

from livestream.management.commands.recoverytable import module_text
from livestream.retry_policy import CATEGORIES, STRATEGIES, Category, category_of, delays
from tests.docs.reading import codes_in_the_code, document


def test_the_pages_copy_is_current():
    assert document("static/js/lib/retry-table.js") == module_text(), (
        "run: python manage.py recoverytable --output static/js/lib/retry-table.js"
    )


def test_every_category_has_a_strategy():
    assert set(STRATEGIES) == set(Category)


@pytest.mark.parametrize("category", list(Category))
def test_a_strategy_makes_sense(category):
    strategy = STRATEGIES[category]

    assert strategy.retry == (strategy.attempts > 0)
    assert 0 <= strategy.first_delay_seconds <= strategy.longest_delay_seconds <= 60
    assert strategy.renew in (None, "credentials", "media_token")
    assert strategy.then in ("slowly", "stop")
    assert strategy.then == "stop" or strategy.longest_delay_seconds >= 5, "slowly is slow"
    assert strategy.tell in ("at_once", "after_first", "when_given_up")


def test_every_code_of_the_product_has_a_category_that_somebody_chose():
    chosen = {code for code in codes_in_the_code() if _entry_of(code)}

    assert sorted(set(codes_in_the_code()) - chosen) == []


def _entry_of(code):
    parts = code.split(".")
    return any(".".join(parts[:length]) in CATEGORIES for length in range(1, len(parts) + 1))


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("network", "network"),
        ("network.timeout", "network"),
        ("media.bad_token", "stream"),
        ("media.unsupported_media", "permission"),
        ("player.elsewhere", "permission"),
        ("media.not_live", "stream"),
        ("token.role_not_held", "permission"),
        ("token.invalid", "authentication"),
        ("chat.slow_mode", "chat"),
        ("chat.banned", "permission"),
        ("something.new", "system"),
        ("", "system"),
    ],
)
def test_the_longest_entry_decides(code, category):
    assert category_of(code) == category


def test_nothing_that_is_not_allowed_is_tried_again():
    assert not STRATEGIES[category_of("session.banned")].retry
    assert not STRATEGIES[category_of("token.role_not_held")].retry


def test_waits_double_up_to_the_longest_and_are_drawn_from_nothing_up():
    assert list(delays(attempts=6, first=1, longest=5, draw=lambda: 1.0)) == [1, 2, 4, 5, 5]
    assert list(delays(attempts=3, first=1, longest=5, draw=lambda: 0.0)) == [0, 0]
    assert list(delays(attempts=1, first=1, longest=5)) == []
