"""Counters of a node and their Prometheus text format (text exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(slots=True)
class Stats:
    """Counters since the start. Incremented on the event loop only."""

    datagrams_received: int = 0
    datagrams_unknown: int = 0
    datagrams_refused: int = 0
    packets_received: int = 0
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_failed: int = 0
    packets_oversize: int = 0
    packets_over_budget: int = 0
    retransmissions_received: int = 0
    retransmissions_sent: int = 0
    nacks_received: int = 0
    nacks_unanswered: int = 0
    nacks_sent: int = 0
    keyframe_requests_received: int = 0
    keyframe_requests_sent: int = 0
    publishers_accepted: int = 0
    viewers_accepted: int = 0
    requests_refused: int = 0
    requests_unreadable: int = 0
    handshakes_failed: int = 0
    handshakes_expired: int = 0
    peers_idle: int = 0
    errors: int = 0


Gauge = tuple[str, str, float]


def metrics_text(*, stats: Stats, gauges: Iterable[Gauge], node: str) -> str:
    """Return all counters and gauges with the node's name as a label."""
    label = node.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    lines: list[str] = []
    for entry in fields(stats):
        name = f"livestream_media_{entry.name}_total"
        lines += [f"# TYPE {name} counter", f'{name}{{node="{label}"}} {getattr(stats, entry.name)}']
    for key, explanation, value in gauges:
        name = f"livestream_media_{key}"
        lines += [f"# HELP {name} {explanation}", f"# TYPE {name} gauge", f'{name}{{node="{label}"}} {value:g}']
    return "\n".join(lines) + "\n"
