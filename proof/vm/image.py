"""The kernel that someone asked for, as a file that boots."""

from pathlib import Path

from proof.errors import KernelFileError
from proof.vm import fetch, kernels, vmlinux


def find(kernel: str | Path) -> Path:
    """Returns what QEMU boots for a key of ``kernels.toml``, or a path: a Path, or with a slash.

    Raises:
        KernelFileError: there is no such kernel, or its architecture is not this host's.
        FetchError: it is not cached and could not be fetched.
    """
    if isinstance(kernel, Path) or "/" in kernel:
        path = Path(kernel)
        if not path.is_file():
            raise KernelFileError(f"{path}: no such file: give the path of a vmlinuz")
        return vmlinux.bootable(path)
    data = kernels.load()
    wanted = data.find(kernel)
    if wanted.architecture != "amd64":
        raise KernelFileError(
            f"kernel {kernel} is for {wanted.architecture}: only amd64 guests can be booted, "
            "as they are made from this host's own programs"
        )
    return vmlinux.bootable(fetch.kernel(wanted, data))
