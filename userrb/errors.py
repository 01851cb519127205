"""Every exception that the package raises of its own.

```text
Error
├── BpfError (OSError)             the kernel or libbpf refused: errno, and libbpf's log
│   ├── ObjectNotFound (FileNotFoundError)
│   ├── NotPermitted (PermissionError)
│   ├── KernelTooOld
│   ├── LoadError                  not a BPF object, or the verifier refused it
│   ├── WrongMapType
│   ├── PinExists (FileExistsError)
│   ├── RingFull                   ENOSPC: no room
│   │   └── RingTimeout (TimeoutError)      nor any within the timeout
│   ├── SampleTooLarge             E2BIG: never any room
│   └── BadTimeout (ValueError)    EINVAL
├── RingClosed (ValueError)
├── ObjectClosed (ValueError)
└── SampleError (ValueError)       submitted or discarded before, or another ring's
    └── SampleLost (RingClosed)    discarded when the ring was closed
```

A view that is still alive where its memory would go away is Python's own `BufferError`.
"""

from __future__ import annotations


class Error(Exception):
    """Base of every exception of this package.

    Attributes:
        submitted: How many records of a batch were submitted before `submit_many` or
            `submit_many_async` raised this; 0 for any other call. What is not of this package, such
            as `KeyboardInterrupt`, gets the attribute as well when it ends one of them.
    """

    submitted: int = 0


class BpfError(Error, OSError):
    """The kernel or libbpf refused a call.

    Attributes:
        errno: As the kernel or libbpf set it (libbpf's own errors begin at 4000).
        log: What libbpf printed during the call, the verifier's log included; may be empty.
    """

    log: str = ""


class ObjectNotFound(BpfError, FileNotFoundError):
    """There is no such file, or nothing is pinned at this path (`ENOENT`)."""


class NotPermitted(BpfError, PermissionError):
    """The process may not do this (`EPERM`, `EACCES`): BPF needs root, or `CAP_BPF` and friends."""


class KernelTooOld(BpfError):
    """The running kernel has no user ring buffer: it came with Linux 6.1."""


class LoadError(BpfError):
    """The file is no BPF object, or the kernel refused a map or a program of it; see `log`."""


class PinExists(BpfError, FileExistsError):
    """Something is at the path where a map was to be pinned (`EEXIST`)."""


class WrongMapType(BpfError):
    """The map exists, but it is not a `BPF_MAP_TYPE_USER_RINGBUF` (`EINVAL`)."""


class RingFull(BpfError):
    """The ring has no room for the sample (`ENOSPC`)."""


class RingTimeout(RingFull, TimeoutError):
    """The ring had no room for the sample within the timeout, which was not 0 (`ENOSPC`)."""


class SampleTooLarge(BpfError):
    """No drain can ever make room for the sample, or the kernel could not drain it (`E2BIG`)."""


class BadTimeout(BpfError, ValueError):
    """A timeout is neither -1, nor 0, nor a number of milliseconds that fits an int (`EINVAL`)."""


class RingClosed(Error, ValueError):
    """The ring is closed, or was closed while the call waited."""


class ObjectClosed(Error, ValueError):
    """The BPF object that the map or program belongs to is closed."""


class SampleError(Error, ValueError):
    """The sample was submitted or discarded before, or was reserved elsewhere."""


class SampleLost(SampleError, RingClosed):
    """The ring was closed while the sample was reserved, which discarded it."""
