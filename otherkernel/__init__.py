"""Run a command, or a test suite, on a kernel that this machine does not run.

`Machine` boots a distribution's kernel in QEMU and is `subprocess` there. It needs no root, no KVM
and no image: the guest is made of this machine's own Python, programs and libraries.

``python
from otherkernel import Machine

with Machine("6.12") as machine:
    print(machine.run(["uname", "-r"], capture_output=True, text=True).stdout)
``

In this order each room uses only those before it: `kernels` (which there are, fetching them),
`image` (what the guest is made of), `host` (QEMU, and a command seen from here), `machine`. `guest`
is what runs inside, and imports only the standard library, and `wire` and `tree`, which both sides
share.
"""

from otherkernel.errors import (
    BootFailed,
    EmulatorDied,
    Error,
    FetchError,
    FilesKept,
    GuestError,
    GuestHang,
    GuestOutOfMemory,
    GuestPanic,
    KernelFileError,
)
from otherkernel.kernels.catalogue import Catalogue, Kernel, Library
from otherkernel.kernels.catalogue import load as load_catalogue
from otherkernel.machine import Machine

__all__ = [
    "BootFailed",
    "Catalogue",
    "EmulatorDied",
    "Error",
    "FetchError",
    "FilesKept",
    "GuestError",
    "GuestHang",
    "GuestOutOfMemory",
    "GuestPanic",
    "Kernel",
    "KernelFileError",
    "Library",
    "Machine",
    "load_catalogue",
]
