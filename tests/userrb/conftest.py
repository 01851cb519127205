"""The fixtures of the tests of userrb."""

from tests.userrb.rig import bpf, compile_bpf, drain, handle, libbpf, ring

__all__ = ["bpf", "compile_bpf", "drain", "handle", "libbpf", "ring"]
