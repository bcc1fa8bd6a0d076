"""Header extensions and picture ids: parsed from any input, and written as they are read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.media.client import extension
from media_node.wire.extensions import extension_values, send_time, send_time_head
from media_node.wire.picture_ids import picture_ids, with_shifted_ids
from tests.media_node.stagehands import vp8

unhurried = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("block", "values"),
    [
        ("bede0001 10aa0000", {1: b"\xaa"}),
        ("bede0002 10aa 4131 32 0000 00", {1: b"\xaa", 4: b"12"}),
        ("bede0001 0000 10aa", {1: b"\xaa"}),
        ("bede0001 10aa f0bb", {1: b"\xaa"}),
        ("10000002 01 01 aa 00 c8 02 31 32", {1: b"\xaa", 200: b"12"}),
        ("1000 0001 01 00 00 00", {1: b""}),
        ("bede0001 17aabbcc", {}),
        ("10000001 01ff0000", {}),
        ("abcd0001 10aa0000", {}),
        ("bede", {}),
        ("", {}),
    ],
)
def test_elements_of_both_forms_are_read(block, values):
    assert extension_values(bytes.fromhex(block)) == values


@unhurried
@given(st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=8))
def test_elements_read_back(elements):
    assert extension_values(extension(elements)) == elements


@unhurried
@given(st.binary(max_size=80))
def test_elements_are_looked_for_in_anything(block):
    for value in extension_values(block).values():
        assert value in block


@unhurried
@given(st.integers(1, 14), st.floats(0, 1e6))
def test_the_sending_time_is_one_element_of_three_bytes(number, now):
    assert extension_values(send_time_head(number) + send_time(now)) == {number: send_time(now)}


@unhurried
@given(st.integers(0, 0x7FFF), st.integers(0, 255), st.integers(0, 0x7FFF), st.integers(0, 255), st.booleans())
def test_shifted_ids_are_the_only_thing_that_changes(picture, base, by, base_by, is_key):
    payload = vp8(is_key=is_key, picture=picture, base=base)

    shifted = with_shifted_ids(payload, picture_ids(payload), picture_shift=by, base_shift=base_by)

    assert shifted == vp8(is_key=is_key, picture=picture + by, base=base + base_by)


@pytest.mark.parametrize(
    ("payload", "ids"),
    [
        ("90c0 8123 07 10", (2, True, 0x123, 7)),
        ("9080 8123 10 02", (2, True, 0x123, -1)),
        ("90c0 23 07 10", (2, False, 0x23, 7)),
        ("9080 23 10", (2, False, 0x23, -1)),
        ("9040 07 10", None),
        ("10 0200 9d", None),
        ("90c0 8123", None),
        ("90", None),
        ("", None),
    ],
)
def test_ids_of_every_form_are_found(payload, ids):
    assert picture_ids(bytes.fromhex(payload)) == ids


@unhurried
@given(st.binary(max_size=40), st.integers(0, 0x7FFF), st.integers(0, 255))
def test_ids_are_looked_for_in_anything_and_its_length_stays(payload, by, base_by):
    ids = picture_ids(payload)

    if ids is not None:
        shifted = with_shifted_ids(payload, ids, picture_shift=by, base_shift=base_by)
        assert len(shifted) == len(payload)
        assert picture_ids(shifted).is_long == ids.is_long


def test_after_64_elements_or_bytes_of_padding_nothing_more_is_read():
    def block(padding):
        return b"\xbe\xde\x00\x20" + b"\0" * padding + b"\x10a" + b"\0" * (126 - padding)

    assert [extension_values(block(padding)) for padding in (0, 62, 63, 64)] == [{1: b"a"}] * 3 + [{}]
