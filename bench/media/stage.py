"""`python -m bench.media.stage`: the cost of a stage, and of layers, to the built-in media node.

Node, people on stage and viewers are three processes on this machine. Scenarios are interleaved over the rounds, so
that compared scenarios run on the same machine under the same load; medians are shown. `--quick` is a smoke run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from bench.media.__main__ import RESULTS, child, machine, node
from bench.media.plot import plot_stage
from media_node.grants import Grant, Role, Stage, grant_sign

AIM_CORES_FOR_TWENTY, AIM_SWITCHING_RATIO = 0.5, 1.4
GUEST = {"": 240}
LAYERS = {"l": 150, "m": 500, "h": 1000}
COLUMNS = [
    ("viewers", "receivers", "{:.0f}"),
    ("cpu_cores", "CPU cores", "{:.3f}"),
    ("cpu_percent_per_viewer", "% of a core each", "{:.3f}"),
    ("cpu_us_per_packet", "us/packet", "{:.2f}"),
    ("packets_per_second", "packets/s", "{:.0f}"),
    ("loss_percent", "loss %", "{:.4f}"),
    ("delay_p50_ms", "added p50 ms", "{:.1f}"),
    ("delay_p95_ms", "added p95 ms", "{:.1f}"),
    ("rss_mb", "RSS MB", "{:.0f}"),
    ("loader_cores", "loader cores", "{:.2f}"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The publishers with their sources (the first is the host), the viewers, and whether layers change."""

    name: str
    layers: tuple[dict[str, int], ...]
    viewers: int
    pictures: int
    sounds: int
    are_viewers_on_stage: bool = False
    silent_from: int = 99
    is_switched: bool = False
    switching_seconds: float = 0.0


def stage_of(guests: int) -> Scenario:
    """Return a number of people who all see and hear each other."""
    return Scenario(
        name=f"{guests} on stage",
        layers=(GUEST,) * guests,
        viewers=guests,
        pictures=guests,
        sounds=guests,
        are_viewers_on_stage=True,
    )


def scenarios(viewers: int, guests: list[int]) -> list[Scenario]:
    """Return all scenarios; `viewers` is the size of the audience."""
    alone = {"viewers": viewers, "pictures": 1, "sounds": 1}
    return [
        *(stage_of(count) for count in guests),
        # The host with two speakers; the others are silent and small.
        Scenario(
            name=f"host + 8 to {viewers}",
            layers=({"": 1000}, *({"": 100},) * 8),
            viewers=viewers,
            pictures=9,
            sounds=9,
            silent_from=2,
        ),
        Scenario(name="plain", layers=({"": 1000},), **alone),
        Scenario(name="layers", layers=(LAYERS,), is_switched=True, **alone),
        Scenario(name="layers, changing", layers=(LAYERS,), is_switched=True, switching_seconds=5.0, **alone),
    ]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.media.stage", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a smoke run with few people, one round")
    arguments.add_argument("--only", nargs="+", help="names of scenarios, or how they begin")
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--seconds", type=float, help="length of a window")
    options = arguments.parse_args()
    wanted = scenarios(10, [3]) if options.quick else scenarios(100, [6, 12, 20])
    if options.only:
        wanted = [each for each in wanted if each.name.startswith(tuple(options.only))]
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = options.seconds or (2.0 if options.quick else 5.0)
    warm_up = 1.0 if options.quick else 2.0
    windows: dict[str, list[dict[str, float]]] = {each.name: [] for each in wanted}
    for _ in range(rounds):
        for each in wanted:
            windows[each.name].append(one_round(each, seconds=seconds, warm_up=warm_up))
            print(f"{each.name} done", file=sys.stderr, flush=True)
    table = {name: summary(runs) for name, runs in windows.items()}
    report = {
        "machine": machine(),
        "aim": {"cores_for_twenty": AIM_CORES_FOR_TWENTY, "switching_ratio": AIM_SWITCHING_RATIO},
        "rounds": rounds,
        "window_seconds": seconds,
        "quick": options.quick,
        "median": table,
        "ratio_to_plain": ratios(windows),
        "windows": windows,
    }
    print_table(table)
    for name, ratio in report["ratio_to_plain"].items():
        print(f"{name}: {ratio:.2f} times the CPU of plain forwarding (aim: at most {AIM_SWITCHING_RATIO})")
    write(report, name="media-stage-quick" if options.quick else "media-stage")
    return 0


def one_round(scenario: Scenario, *, seconds: float, warm_up: float) -> dict[str, float]:
    """Run one window with a fresh node and fresh people."""
    secret, session = token_hex(24), str(uuid.uuid4())
    with node(secret) as (process, url), tempfile.TemporaryDirectory() as folder:
        people = Path(folder) / "people.json"
        people.write_text(
            json.dumps([person(scenario, number, secret, session) for number in range(len(scenario.layers))])
        )
        with child("bench.media.performers", "--url", f"{url}/whip/{session}", "--people", str(people)) as performers:
            assert performers.stdout is not None
            if not json.loads(performers.stdout.readline() or "{}").get("ready"):
                raise RuntimeError("the stage could not connect")
            time.sleep(2.5)
            tokens = Path(folder) / "tokens"
            tokens.write_text(
                "\n".join(watcher(scenario, number, secret, session) for number in range(scenario.viewers))
            )
            arguments = {
                "--url": f"{url}/whep/{session}",
                "--tokens": tokens,
                "--seconds": seconds,
                "--warm-up": warm_up,
                "--pid": process.pid,
                "--pictures": scenario.pictures,
                "--sounds": scenario.sounds,
                "--switching": scenario.switching_seconds,
            }
            flat = [str(part) for pair in arguments.items() for part in pair]
            with child("bench.media.load", *flat, *(["--switch"] if scenario.is_switched else [])) as load:
                assert load.stdout is not None
                line = load.stdout.readline()
                if not line:
                    raise RuntimeError("the viewers could not connect")
                result: dict[str, float] = json.loads(line)
                return result


def person(scenario: Scenario, number: int, secret: str, session: str) -> dict[str, object]:
    token = signed(secret, session, user=f"person-{number}", role="publisher", stage="guest" if number else "host")
    return {"token": token, "layers": scenario.layers[number], "speaks": number < scenario.silent_from}


def watcher(scenario: Scenario, number: int, secret: str, session: str) -> str:
    if scenario.are_viewers_on_stage:
        return signed(secret, session, user=f"person-{number}", role="subscriber", stage="guest")
    return signed(secret, session, user=f"ben-{number}", role="subscriber", stage="")


def signed(secret: str, session: str, *, user: str, role: Role, stage: Stage) -> str:
    now = time.time()
    return grant_sign(
        secret=secret,
        grant=Grant(
            sub=user,
            jti=uuid.uuid4().hex,
            session=session,
            role=role,
            name=user,
            node="local",
            iat=now,
            exp=now + 600,
            stage=stage,
        ),
    )


def summary(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return medians; of loss the worst, which decides whether anything was lost."""
    row = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {**row, "loss_percent": max(run["loss_percent"] for run in runs)}


def ratios(windows: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Return CPU a viewer, against plain forwarding in the same round; the median of the rounds."""
    plain = windows.get("plain", [])
    compared = {name: runs for name, runs in windows.items() if name.startswith("layers") and plain}
    return {
        name: statistics.median(
            run["cpu_percent_per_viewer"] / base["cpu_percent_per_viewer"]
            for run, base in zip(runs, plain, strict=True)
        )
        for name, runs in compared.items()
    }


def print_table(table: dict[str, dict[str, float]]) -> None:
    rows = [["", *(title for _, title, _ in COLUMNS)]]
    rows += [[name, *(form.format(row[key]) for key, _, form in COLUMNS)] for name, row in table.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def write(report: dict[str, object], *, name: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    plot_stage(report, path=path.with_suffix(".png"))
    print(f"written: {path.name} and {path.with_suffix('.png').name} in bench/results")


if __name__ == "__main__":
    sys.exit(main())
