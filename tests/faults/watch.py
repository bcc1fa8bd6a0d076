"""A worker's own metrics, and the kernel's figures for it."""

import os
import re
import resource
from dataclasses import dataclass, field

import urllib3

from tests.servers import Web

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = resource.getpagesize()
BUCKET = re.compile(r'^livestream_loop_lag_seconds_bucket\{le="([^"]+)"\} ([0-9.e+]+)$', re.MULTILINE)


def metrics_text(url: str, seconds: float = 2.0) -> str:
    """Return all metrics of one worker."""
    answer = urllib3.request("GET", f"{url}/metrics", timeout=seconds, retries=False)
    return answer.data.decode()


def metric(url: str, name: str) -> float:
    """Return a metric of one worker."""
    found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", metrics_text(url), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def cpu_seconds(pid: int) -> float:
    """Return a process's processor time."""
    with open(f"/proc/{pid}/stat") as numbers:
        fields = numbers.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    with open(f"/proc/{pid}/statm") as numbers:
        return int(numbers.read().split()[1]) * PAGE_BYTES


def descriptors(pid: int) -> int:
    """Return the number of open files and sockets of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


# The figures are p99 < 50 ms and at most 500 ms. Both of these are bounds of buckets.
LATE_SECONDS, STOPPED_SECONDS = 0.2, 2.0
FEW = 3  # in a short row one per cent is a single hiccup of the machine

Buckets = dict[float, float]


@dataclass
class LoopLag:
    """The lag of the workers' event loops since a moment, as upper bounds of their histogram buckets.

    A worker that was started since counts from its start; one that does not answer is left out.
    """

    before: dict[int, Buckets] = field(default_factory=dict)

    @classmethod
    def since_now(cls, workers: list[Web]) -> "LoopLag":
        return cls({web.process.pid: buckets for web in workers if (buckets := lag_buckets(web))})

    def counted(self, workers: list[Web]) -> Buckets:
        """Return the summed counts since then; empty when no worker answers."""
        total: Buckets = {}
        for web in workers:
            old = self.before.get(web.process.pid, {})
            for bound, count in lag_buckets(web).items():
                total[bound] = total.get(bound, 0.0) + count - old.get(bound, 0.0)
        return total if any(total.values()) else {}


def bounds(counted: Buckets) -> tuple[float, float]:
    """Return the p99 and the maximum in seconds."""
    count = max(counted.values())
    p99 = min(bound for bound, below in counted.items() if below >= 0.99 * count)
    highest = min(bound for bound, below in counted.items() if below >= count)
    return p99, highest


def why_late(counted: Buckets) -> str | None:
    """Return the fault of late loops, if any: a wide margin over the figures, for busy machines."""
    count = max(counted.values(), default=0.0)
    if not count:
        return None
    late, stopped = count - counted[LATE_SECONDS], count - counted[STOPPED_SECONDS]
    if stopped:
        return f"a loop stood still for more than {STOPPED_SECONDS:g} s, {stopped:g} times"
    if late > max(FEW, 0.01 * count):
        return f"loops were more than {1000 * LATE_SECONDS:g} ms late in {late:g} of {count:g} rounds"
    return None


def lag_buckets(web: Web) -> Buckets:
    """Return the cumulative counts of a worker's lag by their upper bounds; empty when it does not answer."""
    if web.process.poll() is not None:
        return {}
    try:
        text = metrics_text(web.url, seconds=1.0)
    except urllib3.exceptions.HTTPError:
        return {}
    return {float(bound): float(count) for bound, count in BUCKET.findall(text)}
