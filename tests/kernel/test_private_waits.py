"""Pages recover by the table: no module keeps waits, attempts or lists of final refusals of its own."""

import re
from functools import cache

import pytest

from livestream.retry_policy import TABLE
from tests.docs.reading import ROOT

MODULES = ROOT / "static" / "js"
# Modules that only draw, measure or pace have timings of their own. All others take them from the table.
OWN = {
    "chat/chat.js": {"QUIET_MS", "READ_EVERY_MS", "SLOW_AFTER_MS", "500", "1600"},
    "chat/composer.js": {"250"},
    "chat/connection-status.js": {"LONG_WAIT_MS", "500"},
    "chat/speech.js": {"SUM_MS", "WITHIN_MS"},
    "home.js": {"EVERY_MS"},
    "lib/countdown.js": {"1000"},
    "player/controls.js": {"IDLE_MS"},
    "player/player.js": {"SWITCH_MS", "LOOK_MS"},
    "player/quality-menu.js": {"EVERY_MS"},
    "providers/hls.js": {"POOR_MS", "JOIN_MS"},
    "room/numbers.js": {"1000"},
    "stage/guest-request.js": {"1000"},
    "stage/meter.js": {"SILENT_AFTER_MS", "60"},
    "stage/panel.js": {"AUDIENCE_OLD_MS", "LOOK_MS", "SETTLE_MS"},
    "stage/placeholder.js": {"EVERY_MS"},
    "stage/receiver.js": {"LEVEL_OLD_MS", "TELL_MS"},
    "stage/tile.js": {"HOLD_MS"},
    "stage/view.js": {"LEVELS_MS", "50"},
    "studio/show.js": {"EARLY_MS"},
    "studio/return.js": {"ARRIVAL_MS"},
    "studio/poster.js": {"EVERY_MS", "FIRST_MS"},
    "studio/vitals.js": {"1000"},
}
CONSTANT = re.compile(r"^\s*(?:export )?(?:const|let) ([A-Z][A-Z0-9_]*_(?:MS|SECONDS)|TRIES|ATTEMPTS)\b", re.MULTILINE)
TIMER = re.compile(r"\b(?:setTimeout|setInterval|AbortSignal\.timeout|gathered|connected)\(")
NUMBER = re.compile(r"[\d_.]+(?: ?\* ?[\d_.]+)*")
OPTIONED = re.compile(r"new Backoff\([^)]*\d[^)]*\)")
TIMEOUT_OPTION = re.compile(r"\btimeout(?::| =) ?([\d_]+)")
CODES = re.compile(r"new Set\(\[([^\]]*)\]\)")


@cache
def modules():
    names = sorted(path for path in MODULES.rglob("*.js") if path.name != "retry-table.js")
    return {path.relative_to(MODULES).as_posix(): path.read_text() for path in names}


def last_argument(text, start):
    """Return the last argument of the call whose parenthesis opens just before `start`."""
    depth, begin = 1, start
    for position in range(start, len(text)):
        character = text[position]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return text[begin:position].strip()
        elif character == "," and depth == 1:
            begin = position + 1
    return ""


def waits(text):
    """Return the waits that a module keeps for itself: names of constants, and bare numbers."""
    found = set(CONSTANT.findall(text)) | set(OPTIONED.findall(text)) | set(TIMEOUT_OPTION.findall(text))
    for call in TIMER.finditer(text):
        argument = last_argument(text, call.end())
        if NUMBER.fullmatch(argument) and float(argument.split("*")[0].replace("_", "")):
            found.add(argument)
    return found


@pytest.mark.parametrize("name", modules())
def test_no_module_keeps_a_wait_of_its_own(name):
    assert waits(modules()[name]) == OWN.get(name, set()), "what recovers takes this from livestream/retry_policy.json"


def test_no_module_is_excused_that_is_gone():
    assert set(OWN) <= set(modules())


def test_what_pages_are_patient_about_is_in_the_table_and_nothing_else_is():
    asked = {name for text in modules().values() for name in re.findall(r'patience\("(\w+)"\)', text)}

    assert {f"{name}_seconds" for name in asked} == set(TABLE["patience"])


def test_no_player_or_sender_lists_refusals_that_are_final():
    """The category of a code decides that. The chat's own list contains the codes that are retried once the socket
    is back."""
    listing = {
        name
        for name, text in modules().items()
        for codes in CODES.findall(text)
        if re.search(r'"(?:media|session|player|token|network|denied)\b', codes)
    }

    assert listing == set()


PLANTED = {
    "const AGAIN_MS = 400;": {"AGAIN_MS"},
    "export const RETRY_SECONDS = 4;": {"RETRY_SECONDS"},
    "const TRIES = 3;": {"TRIES"},
    "this.backoff = new Backoff({ base: 400, cap: 8000 });": {"new Backoff({ base: 400, cap: 8000 })"},
    "setTimeout(() => this.#attempt(run, [1, 2]), 4000);": {"4000"},
    "setTimeout(() => again(), 2 * 1000)": {"2 * 1000"},
    "fetch(url, { signal: AbortSignal.timeout(8000) })": {"8000"},
    'this.call("ping", {}, { timeout: 4000 })': {"4000"},
    "setTimeout(resolve, 0)": set(),
    'setTimeout(() => look(1, 2), patience("beat"))': set(),
    "this.backoff = new Backoff();": set(),
}


@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_wait_is_noticed(text):
    assert waits(text) == PLANTED[text]
