"""The kernel that someone asked for, as a file that boots."""

from pathlib import Path

from otherkernel.errors import KernelFileError
from otherkernel.kernels import catalogue, fetch, vmlinux


def image(kernel: str | Path, unread: list[Path] | None = None) -> Path:
    """Return what QEMU boots for a key of `catalogue.toml`, or a path: a Path, or with a slash.

    Args:
        kernel: The key or path.
        unread: See `cache.filled`.

    Raises:
        KernelFileError: There is no such kernel, or its architecture is not this host's.
        FetchError: It is not cached and could not be fetched.
    """
    if isinstance(kernel, Path) or "/" in kernel:
        path = Path(kernel)
        if not path.is_file():
            raise KernelFileError(f"{path}: no such file: give the path of a vmlinuz")
        return vmlinux.bootable(path, unread)
    data = catalogue.load()
    wanted = data.find(kernel)
    if wanted.architecture != "amd64":
        raise KernelFileError(
            f"kernel {kernel} is for {wanted.architecture}: only amd64 guests can be booted, "
            "as they are made from this host's own programs"
        )
    return vmlinux.bootable(fetch.kernel(wanted, data, unread=unread), unread)
