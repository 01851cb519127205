"""What a message costs from user space to a BPF program, through a ring, maps, a run or a socket.

`python -m benchmarks.ways` measures and prints; `--record` also keeps the figures and writes them
on the page "When to use this ring".
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.build import CACHE, HERE, ROOT, program
from benchmarks.figures import Spread
from benchmarks.machine import processor
from benchmarks.tables import markdown, spread

RECORDED = HERE / "ways.json"
PAGE = ROOT / "docs" / "guides" / "when-to-use-it.md"
ROUNDS = 50
WAYS = {
    "ring": ("User ring buffer: reserve, store, submit; one drain for a ringful", "none"),
    "queue": ("Queue map: `bpf_map_update_elem`; the program pops", "one"),
    "hash": ("Hash map: `bpf_map_update_elem`; the program looks up", "one"),
    "test_run": ("`bpf_prog_test_run_opts` with the message as context", "one"),
    "socket": ("Socket with a BPF filter: `send`", "one"),
}
"""What each way is, and its system calls for each message."""


def measure(rounds: int) -> dict[str, Spread]:
    """Measure every way in turns, in nanoseconds a message."""
    CACHE.mkdir(parents=True, exist_ok=True)
    made = CACHE / "ways.bpf.o"
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    command = ["clang", "-O2", "-g", "-target", "bpf", include, "-c", str(HERE / "ways.bpf.c")]
    subprocess.run([*command, "-o", str(made)], check=True)
    run = [str(program("ways")), str(made), str(rounds)]
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {way: Spread.of([float(ns) for name, ns in lines if name == way]) for way in WAYS}


def table(recorded: dict[str, Any]) -> str:
    """Write the table of the page."""
    spreads = {way: Spread(**recorded["figures"][way]) for way in WAYS}
    rows = [
        (words, calls, f"{spread(spreads[way])} ns", f"{_times(spreads, way):.1f}")
        for way, (words, calls) in WAYS.items()
    ]
    head = ("Way", "System calls a message", "Cost of a message", "Times the ring's")
    return f"{markdown(head, rows)}\nMeasured on {recorded['where']}.\n"


def _times(spreads: dict[str, Spread], way: str) -> float:
    return spreads[way].median / spreads["ring"].median


def fresh(text: str, recorded: dict[str, Any]) -> str:
    """Return the page with the recorded figures."""
    before, begin, rest = text.partition("<!-- [WAYS] -->\n")
    _, end, after = rest.partition("<!-- [/WAYS] -->\n")
    if not end:
        raise ValueError(f"{PAGE} lacks the markers [WAYS] and [/WAYS]")
    return f"{before}{begin}\n{table(recorded)}\n{end}{after}"


def load(path: Path = RECORDED) -> dict[str, Any]:
    """Read the recorded figures."""
    recorded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recorded


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ways", description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the figures, write the page")
    arguments = parser.parse_args()
    figures = {way: vars(value) for way, value in measure(ROUNDS).items()}
    where = f"Linux {platform.release()}, {processor()}, in C, {ROUNDS} rounds"
    recorded: dict[str, Any] = {"where": where, "figures": figures}
    print(table(recorded))
    if arguments.record:
        RECORDED.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(fresh(PAGE.read_text(encoding="utf-8"), recorded), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
