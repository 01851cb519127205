"""apt in folders of our own: another suite's signed packages, and nothing on the system touched."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from otherkernel.errors import FetchError

_CONNECTION = re.compile(r"Acquire::(https?::|Check-(Valid-Until|Date) ).*;")
_CLAIMS = re.compile(r"^(?:Suite|Codename): (.*)$", re.M)
_DIST_URI = re.compile(r"'([^']+)/dists/([^']+)/InRelease'")


def _call(
    args: list[str], environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one of apt's programs with plain English messages."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})}
    try:
        return subprocess.run(args, check=False, env=env, text=True, capture_output=True)
    except FileNotFoundError as error:
        raise FetchError(
            f"{args[0]} is not installed: kernels are fetched with Debian's apt and dpkg; "
            "without them give --kernel the path of a vmlinuz"
        ) from error


def _connection() -> str:
    """Return how this system's apt reaches mirrors, as settings of apt's."""
    shown = _call(["apt-config", "dump"]).stdout.splitlines()
    return "".join(f"{line}\n" for line in shown if _CONNECTION.match(line))


def archive_uri(archive: str) -> str:
    """Return the address of the archive called `archive` on the mirror this system uses.

    The system's sources are asked for an archive of that name (the last part of its address);
    failing that, it is taken to lie beside Debian's or Ubuntu's own, as mirrors keep them.

    Raises:
        FetchError: Apt has no such source configured.
    """
    listed = _call(["apt-get", "update", "--print-uris"])
    uris = [match.group(1).rstrip("/") for match in _DIST_URI.finditer(listed.stdout)]
    for uri in uris:
        if uri.rpartition("/")[2] == archive:
            return uri
    for uri in uris:
        parent, _, last = uri.rpartition("/")
        if last in ("debian", "ubuntu"):
            return f"{parent}/{archive}"
    raise FetchError(
        f"apt's sources name no archive that ends in /{archive}, /debian or /ubuntu: "
        "add the distribution's mirror to them (see sources.list(5))"
    )


# What apt says of a mirror that gives something else than the archive's owner signed.
_UNSIGNED = "the mirror's lists are not signed by the distribution's keys: use another mirror"
_REASONS = {
    "Hash Sum mismatch": "the mirror gives something else than the signed lists say: wrong "
    "checksums; try again later, or another mirror",
    "is not signed": _UNSIGNED,
    "GPG error": _UNSIGNED,
    "NO_PUBKEY": _UNSIGNED,
    "signatures were invalid": _UNSIGNED,
}


class Package(NamedTuple):
    """A package as an archive offers it."""

    name: str
    version: str
    depends: str


class PrivateApt:
    """apt, reading only the sources given and writing only into one folder.

    Args:
        folder: Where lists, status and downloads live; made if need be.
        uri: The archive's address.
        suites: The suites to read; of a package in several, the highest version counts.
        architecture: As Debian calls it.
        keyring: The keys that must have signed the suites.
    """

    def __init__(
        self, folder: Path, uri: str, suites: tuple[str, ...], architecture: str, keyring: Path
    ) -> None:
        """Write the sources and an empty package status."""
        self._folder = folder
        self._name = f"{uri.rpartition('/')[2]} {'/'.join(suites)}"
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(
            "".join(
                f"deb [arch={architecture} signed-by={keyring}] {uri} {suite} main\n"
                for suite in suites
            )
        )
        (folder / "status").write_text("")
        # Equal priorities: else a suite that marks itself "not automatic" would never be chosen.
        (folder / "preferences").write_text("Package: *\nPin: release n=*\nPin-Priority: 500\n")
        settings = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": folder / "preferences",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::Etc::Trusted": "/dev/null",
            "Dir::Etc::TrustedParts": "/dev/null",
            "Dir::State": folder,
            "Dir::State::Lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            # As root apt would download as another user, who may not write here.
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "DPkg::Lock::Timeout": "60",
            # Whatever else may say so, nothing unsigned or badly signed is taken.
            "Acquire::AllowInsecureRepositories": "false",
            "Acquire::AllowWeakRepositories": "false",
            "Acquire::AllowDowngradeToInsecureRepositories": "false",
            "APT::Get::AllowUnauthenticated": "false",
        }
        # The system's settings are not read: they may switch signatures off, or run programs. Only
        # how a mirror is reached is taken over, and whether its clock is believed.
        (folder / "apt.conf").write_text(
            'Dir::Etc::Main "/dev/null";\nDir::Etc::Parts "/dev/null";\n' + _connection()
        )
        self._suites = suites
        self._environment = {"APT_CONFIG": str(folder / "apt.conf")}
        self._options = [f"-o{key}={value}" for key, value in settings.items()]

    def _failed(self, what: str, output: str) -> FetchError:
        lines = [line for line in output.splitlines() if line.startswith(("E:", "W:", "Err:"))]
        detail = "".join(f"\n  {line}" for line in lines[-6:])
        for sign, why in _REASONS.items():
            if sign in output:
                return FetchError(f"{what} ({self._name}): {why}{detail}")
        return FetchError(
            f"{what} ({self._name}): is the network there? It is needed once, then the cache "
            f"serves; OTHERKERNEL_CACHE names another folder for it, --kernel PATH a kernel{detail}"
        )

    def update(self) -> None:
        """Fetch the suites' lists.

        Raises:
            FetchError: They could not be had, are not signed by the keyring, or are of another
                suite.
        """
        command = ["apt-get", *self._options, "-oAPT::Update::Error-Mode=any", "-q", "update"]
        result = _call(command, self._environment)
        if result.returncode:
            raise self._failed("the archive's lists could not be fetched", result.stderr)
        for suite in self._suites:
            self._check_suite(suite)

    def _check_suite(self, suite: str) -> None:
        """Compare what the signed list of a suite says it is with what was asked for."""
        escaped = suite.replace("/", "_")
        lists = list((self._folder / "lists").glob(f"*_dists_{escaped}_*Release"))
        claimed = {claim for each in lists for claim in _CLAIMS.findall(each.read_text())}
        if suite not in claimed:
            what = " and ".join(sorted(claimed)) or "no suite at all"
            raise FetchError(
                f"the mirror's lists of {suite} ({self._name}) are signed, but say that they are "
                f"of {what}: use another mirror"
            )

    def find(self, name: str) -> Package:
        """Return what the lists say of a package, in its highest version.

        Raises:
            FetchError: The suites have none of that name.
        """
        shown = _call(
            ["apt-cache", *self._options, "--no-all-versions", "show", name], self._environment
        )
        found = dict(re.findall(r"^([A-Za-z-]+): (.*)$", shown.stdout.partition("\n\n")[0], re.M))
        if "Version" not in found:
            raise FetchError(f"{self._name} has no package called {name}")
        return Package(name, found["Version"], found.get("Depends", ""))

    def download(self, package: Package, into: Path, progress: Callable[[float], None]) -> Path:
        """Download a package and has apt check it against the signed lists.

        Args:
            package: From `find`.
            into: An existing folder.
            progress: Told the share done so far, 0 to 100.

        Raises:
            FetchError: It could not be had.
        """
        for old in into.glob("*.deb"):
            old.unlink()
        command = [
            *("apt-get", *self._options, "-q", "-oAPT::Status-Fd=2"),
            *("download", f"{package.name}={package.version}"),
        ]
        env = {**os.environ, "LC_ALL": "C.UTF-8", **self._environment}
        output = []
        with subprocess.Popen(
            command, cwd=into, env=env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            for line in process.stderr or ():
                output.append(line)
                if line.startswith("dlstatus:"):
                    progress(float(line.split(":")[2]))
        debs = list(into.glob("*.deb"))
        if process.returncode or len(debs) != 1:
            raise self._failed(f"{package.name} could not be fetched", "".join(output))
        progress(100.0)
        return debs[0]


def unpack(deb: Path, into: Path) -> None:
    """Unpacks a package's files without installing it.

    Raises:
        FetchError: Dpkg-deb could not.
    """
    result = _call(["dpkg-deb", "--extract", str(deb), str(into)])
    if result.returncode:
        raise FetchError(f"{deb.name} could not be unpacked: {result.stderr.strip()}")
