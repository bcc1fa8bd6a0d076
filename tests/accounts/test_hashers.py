import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password, make_password

from accounts import hashers
from accounts.hashers import AT_ONCE, BoundedArgon2PasswordHasher
from livestream.database import REQUESTS
from livestream.errors import Unavailable


def test_hashes_are_djangos_own(settings):
    settings.PASSWORD_HASHERS = ["accounts.hashers.BoundedArgon2PasswordHasher"]
    hashed = make_password("secret")

    assert hashed.startswith("argon2$argon2id$")
    assert Argon2PasswordHasher().verify("secret", hashed)
    assert check_password("secret", hashed)
    assert not check_password("other", hashed)


def test_at_most_two_passwords_are_hashed_at_the_same_time(monkeypatch):
    running, most, lock = 0, 0, threading.Lock()
    pause = threading.Event()

    def slow(self, password, salt):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pause.wait(0.02)
        with lock:
            running -= 1
        return password

    monkeypatch.setattr(Argon2PasswordHasher, "encode", slow)

    with ThreadPoolExecutor(10) as threads:
        done = list(threads.map(lambda n: BoundedArgon2PasswordHasher().encode(str(n), "salt"), range(20)))

    assert done == [str(n) for n in range(20)]
    assert most == 2


def test_who_waits_too_long_is_told_to_come_back(monkeypatch):
    monkeypatch.setattr(hashers, "WAIT_SECONDS", 0.05)
    with hashers._slot(), hashers._slot(), pytest.raises(Unavailable) as caught:
        BoundedArgon2PasswordHasher().encode("secret", "saltsalt")

    assert caught.value.retry_after == 0.05
    assert BoundedArgon2PasswordHasher().encode("secret", "saltsalt").startswith("argon2$")


def test_who_comes_when_too_many_wait_is_told_to_come_back_at_once():
    with ExitStack() as crowd:
        for _ in range(hashers.ADMITTED):
            hashers._admitted.acquire()
            crowd.callback(hashers._admitted.release)

        with pytest.raises(Unavailable):
            BoundedArgon2PasswordHasher().encode("secret", "saltsalt")

    assert BoundedArgon2PasswordHasher().encode("secret", "saltsalt").startswith("argon2$")


def test_people_who_sign_in_leave_threads_to_the_others():
    assert AT_ONCE < hashers.ADMITTED < REQUESTS.size
