"""Allowed characters of a chat text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.text import MAX_BYTES, MAX_CHARACTERS, text_clean
from livestream.errors import Invalid
from livestream.text import MAX_COMBINING, MAX_LINES

ANYTHING = st.text(st.characters(), max_size=600)
NASTY = st.text(
    st.sampled_from(
        "ab \n\n\n\u2028\t\r\x00\x07\x1b\u0301\u0308\u0489\u200b\u200c\u200d\u202e\u2066\ufeff\u00ad🎥👩\u0627"
    ),
    max_size=80,
)


@given(st.one_of(ANYTHING, NASTY))
def test_a_text_is_cleaned_for_good_or_refused_with_a_name(text):
    try:
        cleaned = text_clean(text)
    except Invalid as error:
        assert error.code in ("chat.empty", "chat.too_long", "text.invalid")
        return
    assert 0 < len(cleaned) <= MAX_CHARACTERS
    assert len(cleaned.encode()) <= MAX_BYTES
    assert cleaned == cleaned.strip()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") and character != "\n" for character in cleaned)
    assert not any(0x202A <= ord(character) <= 0x202E or 0x2066 <= ord(character) <= 0x2069 for character in cleaned)
    assert text_clean(cleaned) == cleaned
    assert "\n\n\n" not in cleaned
    assert cleaned.count("\n") < MAX_LINES


@given(st.text(st.sampled_from("a\u0301\u0316\u0489"), min_size=1, max_size=200))
def test_marks_do_not_pile_up_over_other_lines(text):
    run = longest = 0
    try:
        cleaned = text_clean(text)
    except Invalid:
        return
    for character in cleaned:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        longest = max(longest, run)
    assert longest <= MAX_COMBINING


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "héllo",
        "안녕",
        "שלום עולם",
        "👩‍👩‍👧 🏳️‍🌈",
        "a\nb",
        "1 < 2 & 3 > 2",
        "<script>alert(1)</script>",
        "می‌خواهم",
    ],
)
def test_what_people_write_is_kept_as_it_is(text):
    assert text_clean(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  a  ", "a"),
        ("a\tb", "a b"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("e\u0301", "é"),
        ("pay\u202egnp.exe", "paygnp.exe"),
        ("a\u200bb\ufeff", "ab"),
        ("a\x1b[31mb", "a[31mb"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("a\ufff9b\ufffac\ufffbd", "abcd"),
        ("a\ufdd0\ufdefb\ufffe\uffff\U0001fffe\U0010ffffc", "abc"),
        ("a\n\nb", "a\n\nb"),
        ("a\n \n\u2800\n\u200d\n\t\nb\n\n", "a\n\nb"),
        ("a" + "\n" * 498 + "b", "a\n\nb"),
    ],
)
def test_what_deceives_or_breaks_is_taken_out(text, kept):
    assert text_clean(text) == kept


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b", "\u200d\u200d", "\u202e \u2066", "\x00", "\u00ad", "\u2800", "\u3164"]
)
def test_what_shows_nothing_is_empty(text):
    with pytest.raises(Invalid, match=r"chat\.empty"):
        text_clean(text)


def test_half_a_character_is_no_text():
    with pytest.raises(Invalid, match=r"text\.invalid"):
        text_clean("\ud83d")


@pytest.mark.parametrize(
    ("text", "fits"), [("x" * 500, True), ("x" * 501, False), ("🎥" * 500, True), ("🎥" * 501, False)]
)
def test_five_hundred_characters_are_the_most(text, fits):
    if fits:
        assert text_clean(text) == text
    else:
        with pytest.raises(Invalid, match=r"chat\.too_long"):
            text_clean(text)


def test_thirty_lines_are_the_most_and_no_word_is_lost():
    words = [f"w{number}" for number in range(40)]

    assert text_clean("\n".join(words)) == "\n".join([*words[:29], " ".join(words[29:])])
    assert text_clean("\n\n".join(words)) == "\n\n".join(words[:15]) + "\n" + " ".join(words[15:])
