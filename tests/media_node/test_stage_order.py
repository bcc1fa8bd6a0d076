"""Places on a stage: taken, kept and left, and never changed by others."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media_node.forwarding.stage_order import HOST_INDEX, SCREEN_INDEX, IndexTable, SourceName, SpeakersTable


def cam(user):
    return SourceName(user, "camera")


def screen(user):
    return SourceName(user, "screen")


def cameras(**spoke):
    return [(cam(user), at) for user, at in spoke.items()]


def test_a_source_takes_the_lowest_free_index_and_keeps_it():
    table = IndexTable()
    table.update([cam("a"), cam("b"), cam("c")])

    table.update([cam("a"), cam("c")])
    assert table.rows == [cam("a"), None, cam("c")]
    table.update([cam("a"), cam("c"), cam("d"), screen("a")])

    assert table.rows == [cam("a"), cam("d"), cam("c"), screen("a")]
    assert (table.index_of(cam("c")), table.index_of(cam("b"))) == (2, None)


def test_the_first_index_is_kept_for_the_host():
    table = IndexTable()

    table.update([cam("a"), cam("b")], first=cam("h"))
    assert table.rows == [None, cam("a"), cam("b")]
    table.update([cam("a"), cam("b"), cam("h")], first=cam("h"))
    assert table.rows == [cam("h"), cam("a"), cam("b")]
    table.update([cam("b"), cam("c"), cam("d")], first=cam("h"))

    assert table.rows == [None, cam("c"), cam("b"), cam("d")]


def test_who_came_before_the_host_was_known_stays():
    table = IndexTable()
    table.update([cam("a")])

    table.update([cam("a"), cam("h")], first=cam("h"))

    assert table.rows == [cam("a"), cam("h")]


def test_what_changes_nothing_is_no_change():
    table = IndexTable()

    assert table.update([cam("a")]) is True
    assert table.update([cam("a"), cam("a")]) is False


def test_viewers_see_the_host_first_and_a_screen_second():
    table = SpeakersTable(size=4)
    table.update(host=cam("h"), screens=[], cameras=cameras(h=None, a=None, b=None, c=None), now=0.0)
    assert table.rows == [cam("h"), cam("c"), cam("a"), cam("b")], "the screen's place is filled last"

    table.update(host=cam("h"), screens=[screen("a")], cameras=cameras(h=None, a=None, b=None, c=None), now=0.1)

    assert table.rows == [cam("h"), screen("a"), cam("a"), cam("b")]


def test_a_speaker_replaces_who_has_been_silent_longest():
    table = SpeakersTable(size=4)
    table.update(host=cam("h"), screens=[], cameras=cameras(a=5.0, b=3.0, c=4.0, d=None), now=6.0)
    assert table.rows == [cam("h"), cam("b"), cam("a"), cam("c")]

    table.update(host=cam("h"), screens=[], cameras=cameras(a=5.0, b=3.0, c=4.0, d=7.0), now=7.0)

    assert table.rows == [cam("h"), cam("d"), cam("a"), cam("c")]


def test_places_change_at_most_once_a_second():
    table = SpeakersTable(size=3)
    everybody = {"a": 1.0, "b": 2.0, "c": None, "d": None}
    table.update(host=cam("h"), screens=[], cameras=cameras(**everybody), now=0.0)

    table.update(host=cam("h"), screens=[], cameras=cameras(**{**everybody, "c": 10.0, "d": 10.0}), now=10.0)
    once = list(table.rows)
    table.update(host=cam("h"), screens=[], cameras=cameras(**{**everybody, "c": 10.5, "d": 10.5}), now=10.5)
    assert table.rows == once
    table.update(host=cam("h"), screens=[], cameras=cameras(**{**everybody, "c": 11.0, "d": 11.0}), now=11.0)

    assert {row.user for row in table.rows[1:] if row} == {"c", "d"}


USERS = st.sampled_from([f"guest-{number}" for number in range(12)])


class Stage(RuleBasedStateMachine):
    """People come, go, speak, share screens; a model of the participants checks both tables after each step."""

    @initialize(size=st.integers(1, 10))
    def begin(self, size):
        self.index, self.speakers = IndexTable(), SpeakersTable(size=size)
        self.present = {}
        self.spoke = {}
        self.now = 100.0
        self.before_index, self.before_speakers = [], [None] * size
        self.joined = self.left = set()

    def _update(self, *, seconds=0.0):
        self.now += seconds
        self.before_index, self.before_speakers = list(self.index.rows), list(self.speakers.rows)
        names = list(self.present)
        self.left = {name for name in [*self.before_index, *self.before_speakers] if name and name not in self.present}
        self.index.update(names, first=cam("host"))
        self.speakers.update(
            host=cam("host") if cam("host") in self.present else None,
            screens=[name for name in names if name.source == "screen"],
            cameras=[(name, self.spoke.get(name.user)) for name in names if name.source == "camera"],
            now=self.now,
        )

    @rule(user=USERS | st.just("host"), source=st.sampled_from(["camera", "camera", "screen"]))
    def join(self, user, source):
        self.present[SourceName(user, source)] = None
        self._update()

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def leave(self, data):
        del self.present[data.draw(st.sampled_from(sorted(self.present)))]
        self._update()

    @rule(user=USERS, seconds=st.sampled_from([0.0, 0.2, 1.0, 3.0]))
    def speak(self, user, seconds):
        self.spoke[user] = self.now + seconds
        self._update(seconds=seconds)

    @invariant()
    def nobody_is_in_two_places_and_nobody_absent_in_any(self):
        for rows in (self.index.rows, self.speakers.rows):
            taken = [row for row in rows if row is not None]
            assert len(taken) == len(set(taken))
            assert set(taken) <= set(self.present)

    @invariant()
    def the_first_place_is_the_hosts(self):
        assert self.index.rows[:1] in ([], [None], [cam("host")])

    @invariant()
    def everybody_present_is_on_the_stage_where_he_was(self):
        assert set(self.present) <= set(self.index.rows)
        for index, name in enumerate(self.before_index):
            if name is not None and name in self.present:
                assert self.index.rows[index] == name

    @invariant()
    def the_host_and_a_screen_have_their_places(self):
        rows = self.speakers.rows
        assert rows[HOST_INDEX] == (cam("host") if cam("host") in self.present else None)
        assert all(row is None or row.source == "camera" for row in rows[SCREEN_INDEX + 1 :])
        if len(rows) > 1 and any(name.source == "screen" for name in self.present):
            assert rows[SCREEN_INDEX].source == "screen"

    @invariant()
    def viewers_pictures_stay_but_for_one_speaker_and_one_screen(self):
        moved = [
            (before, after)
            for index, (before, after) in enumerate(zip(self.before_speakers, self.speakers.rows, strict=True))
            if index > SCREEN_INDEX and before is not None and before in self.present and before != after
        ]
        assert len(moved) <= 1

    @invariant()
    def no_place_is_empty_while_somebody_could_have_it(self):
        waiting = [
            name
            for name in self.present
            if name.source == "camera" and name.user != "host" and name not in self.speakers.rows
        ]
        assert not waiting or None not in self.speakers.rows[SCREEN_INDEX:]


TestStage = Stage.TestCase
TestStage.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
