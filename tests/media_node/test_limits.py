"""Limits, addresses, TURN credentials, configuration."""

import ipaddress
import logging
import subprocess
import sys

import pytest

from media_node.config import ConfigInvalid, NodeConfig, config_from_environment
from media_node.http.ice_servers import ice_server_links
from media_node.rooms.token_buckets import QuietLog, TokenBuckets
from media_node.wire.ice_candidates import Addresses, candidate_line

SECRET = "s" * 40


def test_a_bucket_lets_a_burst_through_and_then_the_rate():
    buckets = TokenBuckets(rate=2.0, burst=3)

    burst = [buckets.take("eve", now=0.0) for _ in range(5)]

    assert burst == [True, True, True, False, False]
    assert buckets.take("ben", now=0.0)
    assert [buckets.take("eve", now=0.5), buckets.take("eve", now=0.5)] == [True, False]


def test_an_idle_bucket_saves_up_no_more_than_its_burst():
    buckets = TokenBuckets(rate=10, burst=3)
    buckets.take("ada", now=0.0)

    assert [buckets.take("ada", now=3600.0) for _ in range(5)] == [True] * 3 + [False] * 2


def test_buckets_do_not_grow_without_end():
    buckets = TokenBuckets(rate=1.0, burst=1)

    for number in range(20_000):
        buckets.take(str(number), now=0.0)

    assert len(buckets._buckets) == 10_000


def test_a_storm_of_one_kind_is_one_line_in_ten_seconds(caplog):
    quiet = QuietLog(logging.getLogger("storm"))

    for number in range(100):
        quiet.warning("bad packet", now=number / 10, detail=str(number))
    quiet.warning("bad packet", now=10.5, detail="later")

    assert [record.getMessage() for record in caplog.records] == [
        "bad packet detail=0 left_out=0",
        "bad packet detail=later left_out=99",
    ]


def test_the_public_address_comes_first_and_loopback_last():
    lines = Addresses(public=("203.0.113.7",), ipv6=False).candidates(port=8189)

    assert lines[0] == "candidate:1 1 udp 2130706431 203.0.113.7 8189 typ host"
    assert lines[-1].split()[4].startswith("127.")
    assert not any(":" in line.split()[4] for line in lines)


def test_candidates_rank_in_their_order():
    address = ipaddress.ip_address("2001:db8::1")

    priorities = [int(candidate_line(number=n, address=address, port=1).split()[3]) for n in range(3)]

    assert priorities == sorted(priorities, reverse=True)


def test_turn_servers_get_a_password_for_an_hour_and_stun_servers_none():
    links = ice_server_links(
        urls=("turn:turn.example:3478", "stun:stun.example"), secret="north", user='ada"<x>', now=1000.0
    )

    assert links == [
        '<turn:turn.example:3478>; rel="ice-server"; username="4600:adax"; '
        'credential="QQVmFeWP/E53cFcZV/5XVV4qmgI="; credential-type="password"',
        '<stun:stun.example>; rel="ice-server"',
    ]


def test_the_environment_gives_the_configuration(tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")

    config = config_from_environment(
        {
            "MEDIA_SECRET_FILE": str(tmp_path / "secret"),
            "MEDIA_UDP_PORT": "9000",
            "MEDIA_PUBLIC_ADDRESSES": "203.0.113.7, 2001:db8::7",
        }
    )

    assert (config.secret, config.udp_port, config.http_port) == (SECRET, 9000, 8190)
    assert config.public_addresses == ("203.0.113.7", "2001:db8::7")
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, "MEDIA_SECRET"),
        ({"MEDIA_SECRET": "short"}, "MEDIA_SECRET"),
        ({"MEDIA_SECRET_FILE": "/nowhere"}, "MEDIA_SECRET_FILE"),
        ({"MEDIA_SECRET": SECRET, "MEDIA_UDP_PORT": "http"}, "MEDIA_UDP_PORT"),
        ({"MEDIA_SECRET": SECRET, "MEDIA_HTTP_PORT": "70000"}, "MEDIA_HTTP_PORT"),
        ({"MEDIA_SECRET": SECRET, "MEDIA_PUBLIC_ADDRESSES": "my.host"}, "MEDIA_PUBLIC_ADDRESSES"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ, names):
    with pytest.raises(ConfigInvalid, match=names):
        config_from_environment(environ)


def test_a_secret_is_never_shown():
    assert SECRET not in repr(NodeConfig(secret=SECRET, turn_secret=SECRET))


def test_the_node_is_a_program_without_django():
    """Every module is loaded, and the program started as far as its settings, where Django cannot be imported."""
    script = (
        "import sys, pkgutil, importlib; sys.modules['django'] = None; import media_node\n"
        "for module in pkgutil.walk_packages(media_node.__path__, 'media_node.'):\n"
        "    importlib.import_module(module.name)\n"
        "from media_node.__main__ import main\n"
        "others = ('livestream', 'streams', 'accounts', 'chat', 'tokens', 'providers')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in others]\n"
        "sys.exit(main())"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script], env={}, capture_output=True, text=True, timeout=120, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("MEDIA_SECRET must have at least 32 characters")
