"""A distribution's kernel or package in the user's cache; no network the second time."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otherkernel import cache
from otherkernel.errors import FetchError
from otherkernel.kernels import apt, catalogue

if TYPE_CHECKING:
    from tqdm import tqdm

_NUMBER = re.compile(r"\d+\.\d+")  # what the name of a kernel begins with, if it is a version
_IMAGE = re.compile(r"\b(linux-(?:image|binary)-[^\s,|(]+)")


def _keyring(data: catalogue.Catalogue, distribution: catalogue.Distribution) -> Path:
    """Return the distribution's keys: the system's, or those in the package that holds them."""
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
    """Find a package, following a meta-package's dependencies as long as they match."""
    package = private.find(name)
    seen = {name}
    while follow and (match := follow.search(package.depends)) and match.group(1) not in seen:
        seen.add(match.group(1))
        package = private.find(match.group(1))
    return package


def _fetch(
    data: catalogue.Catalogue,
    distribution: catalogue.Distribution,
    suites: tuple[str, ...],
    package: str,
    architecture: str,
    follow: re.Pattern[str] | None,
    into: Path,
) -> apt.Package:
    """Fetch one package and unpacks it into an empty folder."""
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
        from tqdm import tqdm  # noqa: PLC0415  (slow to import, and seldom needed)

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
    """Move the progress bar to a share of 0 to 100."""
    shown.update(share - shown.n)


def unpacked(
    suite: str,
    package: str,
    distribution: catalogue.Distribution | None = None,
    architecture: str = "amd64",
    *,
    data: catalogue.Catalogue | None = None,
    refresh: bool = False,
) -> Path:
    """Return a folder with a package's files as the archive has them, nothing installed.

    Args:
        suite: "trixie", "sid" and so on.
        package: Its exact name.
        distribution: Whose archive; Debian's unless given.
        architecture: As Debian calls it.
        data: The kernels' data, read from its file unless given.
        refresh: Ask the archive again even if the package is cached.

    Raises:
        FetchError: It is not cached, and could not be fetched.
    """
    data = data or catalogue.load()
    chosen = distribution or data.distributions["debian"]

    def fill(part: Path) -> None:
        found = _fetch(data, chosen, (suite,), package, architecture, None, part)
        (part / ".version").write_text(found.version + "\n")

    return cache.filled(
        f"packages/{chosen.name}-{suite}-{architecture}/{package}", fill, refresh=refresh
    )


def _kernel_folder(kernel: catalogue.Kernel) -> str:
    """Return the cache's name for a kernel: all that decides which one it is."""
    suites = "-".join(kernel.suites)
    return f"kernels/{kernel.distribution}-{suites}-{kernel.package}-{kernel.architecture}"


def cached_version(kernel: catalogue.Kernel) -> str | None:
    """Return the package and version of a kernel in the cache, or None if it is not there."""
    note = cache.folder() / _kernel_folder(kernel) / "version"
    return note.read_text().strip() if note.exists() else None


def _keep_kernel(name: str, source: Path, into: Path) -> None:
    """Move a kernel and its configuration out of an unpacked package, if it is what its name says.

    Raises:
        FetchError: There is none, or one of another version.
    """
    images = [*source.glob("boot/vmlinuz-*"), *source.glob("usr/lib/modules/*/vmlinuz")]
    images += source.glob("lib/modules/*/vmlinuz")
    if not images:
        raise FetchError("the package holds no vmlinuz: does catalogue.toml name an image package?")
    # By the file's name, or by its folder's.
    at = images[0].name.removeprefix("vmlinuz-")
    release = images[0].parent.name if at == "vmlinuz" else at
    number = _NUMBER.match(name)
    if number and not release.startswith(f"{number[0]}."):
        raise FetchError(
            f"the archive gives Linux {release} for {name}: the mirror serves another suite, or "
            "the catalogue is wrong"
        )
    images[0].rename(into / "vmlinuz")
    configs = [*source.glob("boot/config-*"), *source.glob("usr/lib/modules/*/config")]
    if configs:
        configs[0].rename(into / "config")


def kernel(
    wanted: catalogue.Kernel,
    data: catalogue.Catalogue | None = None,
    *,
    refresh: bool = False,
    unread: list[Path] | None = None,
) -> Path:
    """Return the path of a kernel's vmlinuz in the cache, fetched if need be.

    Args:
        wanted: From the data file.
        data: The kernels' data, read from its file unless given.
        refresh: Ask the archive for a newer one even if it is cached.
        unread: See `cache.filled`.

    Raises:
        FetchError: It is not cached, and could not be fetched.
    """
    data = data or catalogue.load()

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
        _keep_kernel(wanted.name, whole, part)
        # The modules are most of the package, and nothing here needs them.
        shutil.rmtree(whole)
        (part / "version").write_text(f"{found.name} {found.version}\n")

    folder = cache.filled(_kernel_folder(wanted), fill, refresh=refresh, unread=unread)
    return folder / "vmlinuz"
