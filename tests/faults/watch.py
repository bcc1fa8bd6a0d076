"""What a worker says of itself, and what the kernel says of it."""

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
    """All metrics of one worker."""
    answer = urllib3.request("GET", f"{url}/metrics", timeout=seconds, retries=False)
    return answer.data.decode()


def metric(url: str, name: str) -> float:
    """A metric of one worker."""
    found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", metrics_text(url), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def cpu_seconds(pid: int) -> float:
    """What a process has had of the processors."""
    with open(f"/proc/{pid}/stat") as numbers:
        fields = numbers.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid: int) -> int:
    """The resident memory of a process."""
    with open(f"/proc/{pid}/statm") as numbers:
        return int(numbers.read().split()[1]) * PAGE_BYTES


def descriptors(pid: int) -> int:
    """Open files and sockets of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


Buckets = dict[float, float]


@dataclass
class LoopLag:
    """How late the workers' event loops were since a moment, as upper bounds of the buckets they count in.

    A worker that was started since counts from its start; one that does not answer is left out.
    """

    before: dict[int, Buckets] = field(default_factory=dict)

    @classmethod
    def since_now(cls, workers: list[Web]) -> "LoopLag":
        return cls({web.process.pid: buckets for web in workers if (buckets := lag_buckets(web))})

    def bounds(self, workers: list[Web]) -> tuple[float, float] | None:
        """The p99 and the maximum in seconds; None when nobody answers."""
        total: Buckets = {}
        for web in workers:
            old = self.before.get(web.process.pid, {})
            for bound, count in lag_buckets(web).items():
                total[bound] = total.get(bound, 0.0) + count - old.get(bound, 0.0)
        ordered = sorted(total.items())
        if not ordered or not ordered[-1][1]:
            return None
        count = ordered[-1][1]
        p99 = next(bound for bound, below in ordered if below >= 0.99 * count)
        highest = next(bound for bound, below in ordered if below >= count)
        return p99, highest


def lag_buckets(web: Web) -> Buckets:
    """The cumulative counts of a worker's lag by their upper bounds; nothing when it does not answer."""
    if web.process.poll() is not None:
        return {}
    try:
        text = metrics_text(web.url, seconds=1.0)
    except urllib3.exceptions.HTTPError:
        return {}
    return {float(bound): float(count) for bound, count in BUCKET.findall(text)}
