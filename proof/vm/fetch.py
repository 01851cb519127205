"""A distribution's kernel or package in the user's cache; no network the second time."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from proof import cache
from proof.errors import FetchError
from proof.vm import apt, kernels

_IMAGE = re.compile(r"\b(linux-(?:image|binary)-[^\s,|(]+)")


def _keyring(data: kernels.Kernels, distribution: kernels.Distribution) -> Path:
    """Returns the distribution's keys: the system's, or those in the package that holds them."""
    installed = Path(distribution.keyring)
    if installed.exists():
        return installed
    if not distribution.keyring_package:
        raise FetchError(
            f"{installed} is missing: install the package with the keys of {distribution.name}"
        )
    folder = unpacked(
        distribution.keyring_suite,
        distribution.keyring_package,
        data.distributions[distribution.keyring_distribution],
        data=data,
    )
    return folder / distribution.keyring.lstrip("/")


def _resolve(private: apt.PrivateApt, name: str, follow: re.Pattern[str] | None) -> apt.Package:
    """Finds a package, following a meta-package's dependencies as long as they match."""
    package = private.find(name)
    seen = {name}
    while follow and (match := follow.search(package.depends)) and match.group(1) not in seen:
        seen.add(match.group(1))
        package = private.find(match.group(1))
    return package


def _fetch(
    data: kernels.Kernels,
    distribution: kernels.Distribution,
    suites: tuple[str, ...],
    package: str,
    architecture: str,
    follow: re.Pattern[str] | None,
    into: Path,
) -> apt.Package:
    """Fetches one package and unpacks it into an empty folder."""
    keyring = _keyring(data, distribution)
    name = f"apt/{distribution.name}-{'-'.join(suites)}-{architecture}"
    with cache.locked(name):
        private = apt.PrivateApt(
            cache.folder() / name,
            apt.archive_uri(distribution.archive),
            suites,
            architecture,
            keyring,
        )
        bar = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"
        title = f"{distribution.name} {'/'.join(suites)} {package}"
        with tqdm(total=100, desc=title, bar_format=bar, leave=False, delay=0.5) as shown:
            private.update()
            found = _resolve(private, package, follow)
            shown.set_description_str(f"{found.name} {found.version}")
            with tempfile.TemporaryDirectory(dir=into) as scratch:
                deb = private.download(found, Path(scratch), lambda share: _advance(shown, share))
                apt.unpack(deb, into)
    return found


def _advance(shown: "tqdm[Any]", share: float) -> None:
    """Moves the progress bar to a share of 0 to 100."""
    shown.update(share - shown.n)


def unpacked(
    suite: str,
    package: str,
    distribution: kernels.Distribution | None = None,
    architecture: str = "amd64",
    *,
    data: kernels.Kernels | None = None,
    refresh: bool = False,
) -> Path:
    """Returns a folder with a package's files as the archive has them, nothing installed.

    Args:
        suite: "trixie", "sid" and so on.
        package: its exact name.
        distribution: whose archive; Debian's unless given.
        architecture: as Debian calls it.
        data: the kernels' data, read from its file unless given.
        refresh: ask the archive again even if the package is cached.

    Raises:
        FetchError: it is not cached, and could not be fetched.
    """
    data = data or kernels.load()
    chosen = distribution or data.distributions["debian"]

    def fill(part: Path) -> None:
        found = _fetch(data, chosen, (suite,), package, architecture, None, part)
        (part / ".version").write_text(found.version + "\n")

    return cache.filled(
        f"packages/{chosen.name}-{suite}-{architecture}/{package}", fill, refresh=refresh
    )


def _kernel_folder(kernel: kernels.Kernel) -> str:
    """Returns the cache's name for a kernel: all that decides which one it is."""
    suites = "-".join(kernel.suites)
    return f"kernels/{kernel.distribution}-{suites}-{kernel.package}-{kernel.architecture}"


def cached_version(kernel: kernels.Kernel) -> str | None:
    """Returns the package and version of a kernel in the cache, or None if it is not there."""
    note = cache.folder() / _kernel_folder(kernel) / "version"
    return note.read_text().strip() if note.exists() else None


def _keep_kernel(source: Path, into: Path) -> None:
    """Moves a kernel and its configuration out of an unpacked package."""
    images = [*source.glob("boot/vmlinuz-*"), *source.glob("usr/lib/modules/*/vmlinuz")]
    images += source.glob("lib/modules/*/vmlinuz")
    if not images:
        raise FetchError("the package holds no vmlinuz: does kernels.toml name an image package?")
    images[0].rename(into / "vmlinuz")
    configs = [*source.glob("boot/config-*"), *source.glob("usr/lib/modules/*/config")]
    if configs:
        configs[0].rename(into / "config")


def kernel(
    wanted: kernels.Kernel, data: kernels.Kernels | None = None, refresh: bool = False
) -> Path:
    """Returns the path of a kernel's vmlinuz in the cache, fetched if need be.

    Args:
        wanted: from the data file.
        data: the kernels' data, read from its file unless given.
        refresh: ask the archive for a newer one even if it is cached.

    Raises:
        FetchError: it is not cached, and could not be fetched.
    """
    data = data or kernels.load()

    def fill(part: Path) -> None:
        whole = part / "package"
        whole.mkdir()
        found = _fetch(
            data,
            data.distributions[wanted.distribution],
            wanted.suites,
            wanted.package,
            wanted.architecture,
            _IMAGE,
            whole,
        )
        _keep_kernel(whole, part)
        # The modules are most of the package, and nothing here needs them.
        shutil.rmtree(whole)
        (part / "version").write_text(f"{found.name} {found.version}\n")

    return cache.filled(_kernel_folder(wanted), fill, refresh=refresh) / "vmlinuz"
