"""Runs commands on kernels that this machine does not run: a distribution's kernel in QEMU.

`machine.Vm` is `subprocess` on another kernel. It needs no root, no KVM and no image: the guest is
made of this machine's own Python, programs and libraries, and of a kernel out of an archive.
"""
