"""Calls to providers: retried where that is safe, abandoned where it is not, and skipped while one is down."""

import logging

import pytest

from livestream.circuit_breaker import Circuit, CircuitOpen, CircuitState, circuit_changed
from livestream.errors import ProviderRejected, ProviderUnreachable
from livestream.retry_policy import Category
from providers.http import ANSWER_LIMIT_BYTES, LIST_LIMIT_BYTES, AnswerTooLong, LeftAlone, ProviderHttp
from tests.circuits import circuits_forget
from tests.providers.stand_ins import StandIn, running
from tests.providers.stand_ins.server import Raw


class Echo(StandIn):
    """Answers with the request."""

    def answer(self, method, path, headers, body):
        return 200, {"method": method, "path": path, "body": body}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def _closed(monkeypatch):
    monkeypatch.setattr(circuit_changed, "receivers", [])
    circuits_forget()
    yield
    circuits_forget()


@pytest.fixture
def echo():
    with running(Echo) as server:
        yield server


@pytest.fixture
def waits():
    return []


@pytest.fixture
def http(waits):
    return ProviderHttp("echo", connect=0.5, read=0.5, sleep=waits.append)


def call(http, echo, **more):
    return http.call("POST", f"{echo.url}/x", headers={}, body={"a": 1}, **more)


def test_an_answer_comes_back_as_it_is(http, echo):
    assert call(http, echo) == {"method": "POST", "path": "/x", "body": {"a": 1}}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_three_times_with_growing_jittered_waits(http, echo, waits, status):
    echo.broken = [status, status]

    assert call(http, echo)["path"] == "/x"

    assert len(echo.requests) == 3
    assert 0 <= waits[0] <= 0.2
    assert 0 <= waits[1] <= 0.4


def test_after_three_tries_it_is_given_up(http, echo):
    echo.broken = [503] * 10

    with pytest.raises(ProviderUnreachable) as raised:
        call(http, echo)

    assert len(echo.requests) == 3
    assert (raised.value.category, raised.value.permanent) == (Category.NETWORK, False)


def test_what_must_not_happen_twice_is_not_tried_again(http, echo):
    echo.broken = [503]

    with pytest.raises(ProviderUnreachable):
        call(http, echo, repeatable=False)

    assert len(echo.requests) == 1


def test_it_is_tried_again_when_nothing_can_have_arrived(waits):
    http = ProviderHttp("nobody", connect=0.2, sleep=waits.append)

    with pytest.raises(ProviderUnreachable):
        http.call("POST", "http://127.0.0.1:9/x", headers={}, repeatable=False)

    assert len(waits) == 2


@pytest.mark.parametrize(("status", "category"), [(400, "permission"), (401, "authentication"), (403, "permission")])
def test_a_refusal_is_final_and_no_sign_of_absence(http, echo, status, category):
    echo.broken = [status] * 10

    for _ in range(7):
        with pytest.raises(ProviderRejected) as raised:
            call(http, echo)

    assert (raised.value.status, raised.value.category, raised.value.permanent) == (status, category, True)
    assert len(echo.requests) == 7
    assert http.circuit.state == CircuitState.CLOSED


def test_what_is_not_there_is_an_empty_answer_where_that_is_wanted(http, echo):
    echo.broken = [404, 404]

    assert call(http, echo, absent=True) == {}
    with pytest.raises(ProviderRejected):
        call(http, echo)


def test_a_provider_that_is_slow_is_unreachable(echo, waits):
    import time

    echo.answer = lambda *_: time.sleep(1) or (200, {})
    http = ProviderHttp("echo", read=0.1, sleep=waits.append)

    with pytest.raises(ProviderUnreachable, match="ReadTimeout"):
        call(http, echo)


def test_five_failures_open_the_circuit_and_nobody_waits_any_more(http, echo):
    echo.broken = [500] * 100

    for _ in range(3):
        with pytest.raises(ProviderUnreachable):
            call(http, echo)
    asked = len(echo.requests)
    with pytest.raises(LeftAlone) as raised:
        call(http, echo)

    assert asked == len(echo.requests) == 5
    assert 1 <= raised.value.retry_after <= 30


def says(echo, length, status=200):
    """Make it answer with a list of this many bytes."""
    echo.answer = lambda *_: (status, Raw(b"[" + b" " * (length - 2) + b"]", {"Content-Type": "application/json"}))


def test_an_answer_that_is_too_long_is_final_and_no_sign_of_absence(http, echo, waits, caplog):
    says(echo, ANSWER_LIMIT_BYTES + 1)

    for _ in range(6):
        with pytest.raises(AnswerTooLong) as raised:
            call(http, echo)

    assert raised.value.permanent
    assert (len(echo.requests), waits) == (6, [])
    assert http.circuit.state == CircuitState.CLOSED
    assert f"answer too long provider=echo status=200 limit={ANSWER_LIMIT_BYTES}" in caplog.text


def test_whoever_asks_for_a_list_takes_a_long_one(http, echo):
    says(echo, ANSWER_LIMIT_BYTES)
    assert call(http, echo) == {"items": []}
    says(echo, ANSWER_LIMIT_BYTES + 1)
    assert call(http, echo, limit=LIST_LIMIT_BYTES) == {"items": []}

    with pytest.raises(AnswerTooLong):
        call(http, echo, limit=ANSWER_LIMIT_BYTES)


def test_a_provider_that_comes_back_with_too_long_an_answer_is_there(http, echo, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(http.circuit, "_clock", clock)
    for _ in range(5):
        http.circuit.failed("Timeout")
    clock.now += 31
    says(echo, ANSWER_LIMIT_BYTES + 1)

    with pytest.raises(AnswerTooLong):
        call(http, echo)

    assert http.circuit.state == CircuitState.CLOSED


def test_one_that_fails_at_length_fails(http, echo):
    says(echo, ANSWER_LIMIT_BYTES + 1, status=503)

    with pytest.raises(ProviderUnreachable):
        call(http, echo)

    assert (len(echo.requests), http.circuit.failures) == (3, 3)


def test_nothing_of_a_call_is_logged_that_could_be_a_secret(echo, caplog, waits):
    http = ProviderHttp("echo", sleep=waits.append)
    echo.broken = [500] * 10
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderUnreachable) as raised:
        for _ in range(3):
            http.call(
                "POST", f"{echo.url}/secret-path", headers={"Authorization": "Bearer s3cret"}, body={"k": "s3cret"}
            )

    ours = " ".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("livestream", "streams"))
    )
    assert "s3cret" not in ours + str(raised.value)
    assert "secret-path" not in ours + str(raised.value)


# ---- The breaker ---------------------------------------------------------------------------------------------------


def opened(clock):
    one = Circuit("x", clock=clock)
    for _ in range(5):
        one.enter()
        one.failed("Timeout")
    return one


def test_four_failures_and_a_success_leave_it_closed():
    one = Circuit("x", clock=Clock())
    for _ in range(3):
        for _ in range(4):
            one.failed("Timeout")
        assert one.state == CircuitState.CLOSED
        one.enter()
        one.succeeded()


def test_it_stays_open_for_thirty_seconds_then_lets_one_try():
    clock = Clock()
    one = opened(clock)

    clock.now += 29.9
    with pytest.raises(CircuitOpen):
        one.enter()
    clock.now += 0.2
    one.enter()
    with pytest.raises(CircuitOpen):
        one.enter()

    assert one.state == CircuitState.HALF_OPEN


@pytest.mark.parametrize(("went", "state"), [("succeeded", CircuitState.CLOSED), ("failed", CircuitState.OPEN)])
def test_the_one_try_decides(went, state):
    clock = Clock()
    one = opened(clock)
    clock.now += 31
    one.enter()

    one.succeeded() if went == "succeeded" else one.failed("Timeout")

    assert one.state == state
    if state == CircuitState.OPEN:
        with pytest.raises(CircuitOpen):
            one.enter()


def test_a_try_that_nobody_finished_does_not_block_for_good():
    clock = Clock()
    one = opened(clock)
    clock.now += 31
    one.enter()

    clock.now += 31
    one.enter()


def test_changes_are_told_once_each():
    told = []

    def hear(circuit, reason, **_):
        told.append((circuit.name, str(circuit.state), reason))

    circuit_changed.connect(hear)
    clock = Clock()

    one = opened(clock)
    one.failed("Timeout")
    clock.now += 31
    one.enter()
    one.succeeded()

    assert told == [("x", "open", "Timeout"), ("x", "half_open", "trying again"), ("x", "closed", "answers")]
