import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.names import LOOK_ALIKES, clean_display_name, is_reserved
from livestream.errors import Invalid

NASTY = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("\u202e\u2066\u200b\u200d\u200c\ufeff\u0301\u0323\u0489\u3164\U000e0041\x00\n\t aéा👩🏽"),
    ),
    max_size=120,
)


@given(NASTY)
def test_a_clean_name_holds_nothing_that_deceives(text):
    try:
        name = clean_display_name(text)
    except Invalid as error:
        assert error.code == "name.too_long"
        return

    assert len(name) <= 50
    assert len(name.encode()) <= 200
    assert name == unicodedata.normalize("NFC", name)
    assert name == name.strip() and "  " not in name
    assert clean_display_name(name) == name
    for char in name:
        assert char in "\u200c\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp")
    marks = 0
    for position, char in enumerate(name):
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        assert marks <= 2
        assert not (marks and (position == 0 or name[position - 1] == " "))


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=50))
def test_a_plain_name_stays_as_it_is(text):
    assert clean_display_name(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Anna   Maria ", "Anna Maria"),
        ("e\u0301", "é"),
        ("abc\u202edef", "abcdef"),
        ("\u2066x\u2069", "x"),
        ("a\u0301\u0302\u0303\u0304b", "á\u0302\u0303b"),
        ("\u0301a", "a"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("👩🏽\u200d🚀 Jo", "👩🏽\u200d🚀 Jo"),
        ("a\u200db", "ab"),
        ("\u3164\u3164", ""),
        ("name\x00\x07\u200b", "name"),
        ("நிலா", "நிலா"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("one\ntwo\u2028three", "one two three"),
    ],
)
def test_names_are_cleaned_as_people_would_expect(text, name):
    assert clean_display_name(text) == name


def test_half_a_character_is_no_name():
    with pytest.raises(Invalid) as caught:
        clean_display_name("a\ud800b")

    assert caught.value.code == "name.invalid"


def test_a_name_that_is_too_long_is_refused_and_not_cut():
    with pytest.raises(Invalid) as caught:
        clean_display_name("x" * 51)

    assert caught.value.code == "name.too_long"


@pytest.mark.parametrize(
    "name",
    [
        "Admin",
        "ADMIN",
        "a d m i n",
        "а" + "dmin",
        "Mоderatоr",
        "sуstem",
        "Adm1n",
        "admin_2",
        "Ａｄｍｉｎ",
        "Lіvestream",
        "Á" + "dmin",
    ],
)
def test_look_alikes_of_an_office_are_reserved(name):
    assert is_reserved(name)


@pytest.mark.parametrize(
    "name", ["Ada", "administer", "systematic", "modern", "Hosta", "Ben 10", "Олег", "小林", "", "1", "Teamwork"]
)
def test_other_names_are_free(name):
    assert not is_reserved(name)


def test_the_table_of_look_alikes_maps_to_latin_letters():
    assert set(map(chr, LOOK_ALIKES.values())) <= set("abcdefghijklmnopqrstuvwxyz")
