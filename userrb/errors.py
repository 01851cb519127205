"""The package's own exceptions.

```text
Error
├── BpfError (OSError)             the kernel or libbpf refused; has errno and libbpf's log
│   ├── ObjectNotFound (FileNotFoundError)
│   ├── NotPermitted (PermissionError)
│   ├── KernelTooOld
│   ├── LoadError                  not a BPF object, or the verifier refused it
│   ├── WrongMapType
│   ├── PinExists (FileExistsError)
│   ├── RingFull                   ENOSPC: no room
│   │   └── RingTimeout (TimeoutError)      no room within the timeout
│   ├── SampleTooLarge             E2BIG: there can never be room
│   └── BadTimeout (ValueError)    EINVAL
├── RingClosed (ValueError)
├── ObjectClosed (ValueError)
└── SampleError (ValueError)       submitted or discarded already, or another ring's
    └── SampleLost (RingClosed)    discarded because the ring was closed
```

A call that would take away the memory of a view that is still alive raises Python's own
`BufferError`.
"""

from __future__ import annotations


class Error(Exception):
    """The base class of the package's exceptions.

    Attributes:
        submitted: How many records `submit_many` or `submit_many_async` had submitted when it
            raised this; 0 for any other call. Other exceptions that end these two calls, such as
            `KeyboardInterrupt`, get the attribute as well.
    """

    submitted: int = 0


class BpfError(Error, OSError):
    """The kernel or libbpf refused a call.

    Attributes:
        errno: The error number of the kernel or libbpf (libbpf's own begin at 4000).
        log: What libbpf printed during the call, the verifier's log included; may be empty.
    """

    log: str = ""


class ObjectNotFound(BpfError, FileNotFoundError):
    """The file does not exist, or nothing is pinned at the path (`ENOENT`)."""


class NotPermitted(BpfError, PermissionError):
    """The process may not do this (`EPERM`, `EACCES`): it needs root, or `CAP_BPF` and others."""


class KernelTooOld(BpfError):
    """The running kernel has no user ring buffer, which came with Linux 6.1."""


class LoadError(BpfError):
    """The file is not a BPF object, or the kernel refused a map or a program of it; see `log`."""


class PinExists(BpfError, FileExistsError):
    """The path at which you pin a map exists already (`EEXIST`)."""


class WrongMapType(BpfError):
    """The map is not of the type that the call needs (`EINVAL`).

    `UserRingBuffer` needs a `BPF_MAP_TYPE_USER_RINGBUF`, `RingBuffer` a `BPF_MAP_TYPE_RINGBUF`.
    """


class RingFull(BpfError):
    """The ring has no room for the sample (`ENOSPC`)."""


class RingTimeout(RingFull, TimeoutError):
    """The ring had no room for the sample within a timeout other than 0 (`ENOSPC`)."""


class SampleTooLarge(BpfError):
    """The sample can never fit into the ring, or the kernel could not drain it (`E2BIG`)."""


class BadTimeout(BpfError, ValueError):
    """The timeout is less than -1, or does not fit a C `int` (`EINVAL`)."""


class RingClosed(Error, ValueError):
    """The ring is closed, or was closed during the wait."""


class ObjectClosed(Error, ValueError):
    """The BPF object that the map or program belongs to is closed."""


class SampleError(Error, ValueError):
    """The sample was submitted or discarded already, or belongs to another ring or process."""


class SampleLost(SampleError, RingClosed):
    """The ring was closed while the sample was reserved; that discarded the sample."""
