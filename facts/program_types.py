"""Kernel to table: which program types may call `bpf_user_ringbuf_drain`, found out by trying.

Of each type two programs are loaded: one that does nothing, and the same with the call. If the
first is refused, the type cannot be measured on this kernel; if only the second is, and because of
the call, the type may not call the helper.
"""

from __future__ import annotations

import errno
import json
import platform
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facts.errors import FactError
from facts.loading import Kind, load

HELPER = "bpf_user_ringbuf_drain"
DATA = Path(__file__).parent / "program_types.json"
# The words of newer and of older kernels. The program calls no other helper.
_REFUSAL = re.compile(r"cannot use helper bpf_\w+|unknown func bpf_\w+")

KINDS = {
    "SOCKET_FILTER": Kind("socket"),
    "KPROBE": Kind("kprobe"),
    "SCHED_CLS": Kind("tc"),
    "SCHED_ACT": Kind("action"),
    "TRACEPOINT": Kind("tracepoint"),
    "XDP": Kind("xdp"),
    "PERF_EVENT": Kind("perf_event"),
    "CGROUP_SKB": Kind("cgroup_skb/ingress", "CONFIG_CGROUP_BPF"),
    "CGROUP_SOCK": Kind("cgroup/sock_create", "CONFIG_CGROUP_BPF"),
    "LWT_IN": Kind("lwt_in", "CONFIG_LWTUNNEL_BPF"),
    "LWT_OUT": Kind("lwt_out", "CONFIG_LWTUNNEL_BPF"),
    "LWT_XMIT": Kind("lwt_xmit", "CONFIG_LWTUNNEL_BPF"),
    "SOCK_OPS": Kind("sockops", "CONFIG_CGROUP_BPF"),
    "SK_SKB": Kind("sk_skb/stream_parser"),
    "CGROUP_DEVICE": Kind("cgroup/dev", "CONFIG_CGROUP_BPF"),
    "SK_MSG": Kind("sk_msg"),
    "RAW_TRACEPOINT": Kind("raw_tracepoint"),
    "CGROUP_SOCK_ADDR": Kind("cgroup/bind4", "CONFIG_CGROUP_BPF"),
    "LWT_SEG6LOCAL": Kind("lwt_seg6local", "CONFIG_IPV6_SEG6_BPF"),
    "LIRC_MODE2": Kind("lirc_mode2", "CONFIG_BPF_LIRC_MODE2"),
    "SK_REUSEPORT": Kind("sk_reuseport"),
    "FLOW_DISSECTOR": Kind("flow_dissector"),
    "CGROUP_SYSCTL": Kind("cgroup/sysctl", "CONFIG_CGROUP_BPF"),
    "RAW_TRACEPOINT_WRITABLE": Kind("raw_tracepoint.w"),
    "CGROUP_SOCKOPT": Kind("cgroup/getsockopt", "CONFIG_CGROUP_BPF"),
    "TRACING": Kind("fentry/bpf_fentry_test1"),
    "STRUCT_OPS": Kind("struct_ops/cong_avoid", defines=("STRUCT_OPS",)),
    "EXT": Kind("freplace/replaced"),
    "LSM": Kind("lsm/file_open", "CONFIG_BPF_LSM"),
    "SK_LOOKUP": Kind("sk_lookup"),
    "SYSCALL": Kind("syscall"),
    # Of kernels newer than the libbpf that may be at hand: BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER.
    "NETFILTER": Kind("socket", "CONFIG_NETFILTER_BPF_LINK", type=32, attach_type=45),
}
"""How to make a program of each type, by the type's name without BPF_PROG_TYPE_."""


@dataclass(frozen=True)
class Measured:
    """What was found out on a kernel.

    Attributes:
        kernel: The kernel's series.
        may: The types that may call the helper.
        may_not: Those that may not.
        unknown: Those that could not be measured, each with why.
    """

    kernel: str
    may: list[str]
    may_not: list[str]
    unknown: dict[str, str]


def measure() -> Measured:
    """Load two programs of each type; needs the right to.

    Raises:
        FactError: A program does not compile, or none at all could be loaded.
    """
    found = Measured(".".join(platform.release().split(".")[:2]), [], [], {})
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            verdict = may_call(kind, Path(folder))
            if isinstance(verdict, str):
                found.unknown[name] = verdict
            else:
                (found.may if verdict else found.may_not).append(name)
    if not found.may:
        raise FactError(f"no program that calls {HELPER} loads here: {found.unknown}")
    return found


def may_call(kind: Kind, folder: Path) -> bool | str:
    """Say whether a type may call the helper, or why that cannot be said."""
    code, _ = load(kind, folder, call=False)
    if code:
        needs = f"; the type needs {kind.needs}" if kind.needs else ""
        refused = errno.errorcode.get(code, str(code))
        return f"this kernel refuses even a program that does nothing ({refused}{needs})"
    code, log = load(kind, folder, call=True)
    if not code:
        return True
    if _REFUSAL.search(log):
        return False
    last = [line for line in log.splitlines() if not line.startswith("processed ")][-1:]
    return f"refused, but not because of the type: {''.join(last) or errno.errorcode.get(code)}"


def read() -> Measured:
    """Read what was measured before."""
    data: Any = json.loads(DATA.read_text(encoding="utf-8"))
    return Measured(**data)


def write(measured: Measured) -> None:
    """Keep what was measured, for the page and for the test that measures again."""
    DATA.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")


def contradictions(one: Measured, other: Measured) -> list[str]:
    """Name the types that one kernel allows the call and the other does not."""
    either = (set(one.may) & set(other.may_not)) | (set(one.may_not) & set(other.may))
    return sorted(either)


def table(helper: str) -> str:
    """Write which program types may call the helper."""
    if helper != HELPER:
        raise FactError(f"the program types of {helper!r} are not measured")
    found = read()
    lines = [f"Measured on Linux {found.kernel}, by loading a program of each type.", ""]
    lines += [f"- {_name(name)}" for name in sorted(found.may)]
    if found.may_not:
        names = ", ".join(_name(name) for name in sorted(found.may_not))
        lines += ["", f"The verifier refuses the call in: {names}."]
    if found.unknown:
        lines += ["", "Not measured:", ""]
        lines += [f"- {_name(name)}: {why}" for name, why in sorted(found.unknown.items())]
    return "\n" + "\n".join(lines) + "\n"


def _name(name: str) -> str:
    return f"`BPF_PROG_TYPE_{name}`"
