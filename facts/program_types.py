"""Kernel to table: which program types may call a helper, found out by trying.

Of each type two programs are loaded: one that does nothing, and the same with the call. If the
first is refused, the type cannot be measured on this kernel; if the second is, the verifier's words
tell whether that is because of the type. A type that depends on where it is attached is tried at
several places, and may call the helper if it may at one of them.
"""

from __future__ import annotations

import errno
import json
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facts.errors import FactError
from facts.kernel import features
from facts.loading import Kind, load

DATA = Path(__file__).parent / "program_types.json"
# The words of newer and of older kernels.
_REFUSAL = re.compile(
    r"cannot use helper bpf_\w+|unknown func bpf_\w+|helper call is not allowed in probe"
    r"|helper call might sleep in a non-sleepable prog|not supported for program type"
    r"|supported only for fentry"
)
_CGROUPS = "CONFIG_CGROUP_BPF"
_TUNNELS = "CONFIG_LWTUNNEL_BPF"

KINDS = {
    "SOCKET_FILTER": (Kind(1),),
    "KPROBE": (Kind(2), Kind(2, sleepable=True)),
    "SCHED_CLS": (Kind(3),),
    "SCHED_ACT": (Kind(4),),
    "TRACEPOINT": (Kind(5),),
    "XDP": (Kind(6),),
    "PERF_EVENT": (Kind(7),),
    "CGROUP_SKB": (Kind(8, needs=_CGROUPS),),
    "CGROUP_SOCK": (Kind(9, 2, needs=_CGROUPS),),
    "LWT_IN": (Kind(10, needs=_TUNNELS),),
    "LWT_OUT": (Kind(11, needs=_TUNNELS),),
    "LWT_XMIT": (Kind(12, needs=_TUNNELS),),
    "SOCK_OPS": (Kind(13, needs=_CGROUPS),),
    "SK_SKB": (Kind(14),),
    "CGROUP_DEVICE": (Kind(15, needs=_CGROUPS),),
    "SK_MSG": (Kind(16),),
    "RAW_TRACEPOINT": (Kind(17),),
    "CGROUP_SOCK_ADDR": (Kind(18, 8, needs=_CGROUPS), Kind(18, 10, needs=_CGROUPS)),
    "LWT_SEG6LOCAL": (Kind(19, needs="CONFIG_IPV6_SEG6_BPF"),),
    "LIRC_MODE2": (Kind(20, needs="CONFIG_BPF_LIRC_MODE2"),),
    "SK_REUSEPORT": (Kind(21),),
    "FLOW_DISSECTOR": (Kind(22),),
    "CGROUP_SYSCTL": (Kind(23, needs=_CGROUPS),),
    "RAW_TRACEPOINT_WRITABLE": (Kind(24),),
    "CGROUP_SOCKOPT": (Kind(25, 21, needs=_CGROUPS),),
    "TRACING": (
        Kind(26, 24, "bpf_fentry_test1"),
        Kind(26, 25, "vfs_getattr"),
        Kind(26, 24, "bpf_fentry_test1", sleepable=True),
        Kind(26, 28, "task"),
    ),
    "STRUCT_OPS": (Kind(27, hook="tcp_congestion_ops", member="cong_avoid"),),
    "LSM": (
        Kind(29, 27, "file_open", needs="CONFIG_BPF_LSM"),
        Kind(29, 27, "file_open", sleepable=True, needs="CONFIG_BPF_LSM"),
    ),
    "SK_LOOKUP": (Kind(30, 36),),
    "SYSCALL": (Kind(31, sleepable=True),),
    "NETFILTER": (Kind(32, 45, needs="CONFIG_NETFILTER_BPF_LINK"),),
}
"""How to make programs of each type, by the type's name without BPF_PROG_TYPE_.

BPF_PROG_TYPE_EXT is missing: such a program has the helpers of the program that it replaces.
"""


@dataclass
class Measured:
    """What was found out, on one kernel or on several.

    Attributes:
        kernels: The series of the kernel that each type was measured on.
        unknown: The types that could not be measured, each with why.
        may: The types that may call each helper.
    """

    kernels: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    may: dict[str, list[str]] = field(default_factory=dict)


def wanted() -> dict[str, int]:
    """Return the helpers to measure, those whose release is known, each with its number."""
    return {name: int(its["number"]) for name, its in features().items() if "number" in its}


def measure() -> Measured:
    """Load programs of each type; needs the right to.

    Raises:
        FactError: None at all could be loaded.
    """
    series = ".".join(platform.release().split(".")[:2])
    helpers = wanted()
    found = Measured(may={name: [] for name in helpers})
    for name, kinds in KINDS.items():
        if unfit := [kind for kind in kinds if load(kind)[0]]:
            found.unknown[name] = _why(unfit[0])
            continue
        found.kernels[name] = series
        for helper, number in helpers.items():
            if any(may_call(kind, number) for kind in kinds):
                found.may[helper].append(name)
    if not found.kernels:
        raise FactError(f"no program loads here: {found.unknown}")
    return found


def _why(kind: Kind) -> str:
    needs = f"; the type needs {kind.needs}" if kind.needs else ""
    code, _ = load(kind)
    refused = errno.errorcode.get(code, str(code))
    return f"refuses even a program that does nothing ({refused}{needs})"


def may_call(kind: Kind, helper: int) -> bool:
    """Say whether a program may call a helper: that is, it is not refused for that reason."""
    code, log = load(kind, helper)
    return not code or not _REFUSAL.search(log)


def read() -> Measured:
    """Read what was measured before."""
    data: Any = json.loads(DATA.read_text(encoding="utf-8"))
    may = {helper: names.split() for helper, names in data.pop("may").items()}
    return Measured(**data, may=may)


def write(measured: Measured) -> None:
    """Keep what was measured, and of types that this kernel cannot load what another one said."""
    before = read()
    for helper, its in measured.may.items():
        its.extend(n for n in before.may.get(helper, ()) if n not in measured.kernels)
    kept = {n: s for n, s in before.kernels.items() if n not in measured.kernels}
    measured.kernels |= kept
    data = {
        "kernels": dict(sorted(measured.kernels.items())),
        "unknown": {n: why for n, why in measured.unknown.items() if n not in measured.kernels},
        "may": {helper: " ".join(sorted(its)) for helper, its in sorted(measured.may.items())},
    }
    DATA.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def contradictions(one: Measured, other: Measured) -> list[str]:
    """Name the helpers and types that one kernel allows the call and the other does not."""
    both = one.kernels.keys() & other.kernels.keys()
    return sorted(
        f"{helper} in {name}"
        for helper in one.may.keys() & other.may.keys()
        for name in both & set(one.may[helper]) ^ both & set(other.may[helper])
    )


def table(helper: str) -> str:
    """Write which program types may call a helper."""
    found = read()
    if helper not in found.may:
        raise FactError(f"the program types of {helper!r} are not measured: run `make facts`")
    main = max(found.kernels.values(), key=list(found.kernels.values()).count)
    elsewhere = {n: series for n, series in found.kernels.items() if series != main}
    lines = [f"This helper can be called in these program types, measured on Linux {main}:", ""]
    for name in sorted(found.may[helper]):
        also = f" (on Linux {elsewhere[name]})" if name in elsewhere else ""
        lines.append(f"- `BPF_PROG_TYPE_{name}`{also}")
    if found.unknown:
        names = ", ".join(f"`BPF_PROG_TYPE_{name}`" for name in sorted(found.unknown))
        lines += ["", f"Not measured: {names}."]
    return "\n" + "\n".join(lines) + "\n"
