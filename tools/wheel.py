"""Make an sdist, and from it a wheel that needs no libbpf on the machine: tools/wheel.py [FOLDER].

auditwheel puts libbpf and what it needs beside the package and names the oldest glibc that serves;
their licences go in as well. FOLDER is dist/ unless it is named. Needs Debian or a relative: its
packages say where a library comes from and under which licence.
"""

from __future__ import annotations

import gzip
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from auditwheel.lddtree import ldd
from auditwheel.patcher import ElfPatcher
from auditwheel.repair import repair_wheel
from auditwheel.wheel_abi import analyze_wheel_abi
from auditwheel.wheeltools import InWheelCtx

ROOT = Path(__file__).resolve().parent.parent
ZLIB = "libz.so.1"
COMMON_LICENSES = Path("/usr/share/common-licenses")
LICENSES = {
    "libbpf": "LGPL-2.1-only OR BSD-2-Clause",
    "libelf": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libz": "Zlib",
    "libzstd": "BSD-3-Clause OR GPL-2.0-only",
}
"""Of the libraries that may be bundled, without the tools that come from the same sources."""

NOTICE = """\
Libraries of others in this wheel
=================================

The package userrb is under the MIT License. This wheel carries, in userrb.libs/, copies of these
shared libraries, each under its own licence:

{libraries}

They come from {distribution}, with two changes that a wheel needs:
the names by which they find each other and the search path were changed, and symbols that serve
only debugging were removed. The distribution's source packages named above are their complete
source, and the distribution offers them wherever it offers the libraries.

They are linked dynamically, and userrb uses only their public functions. You may put another
build of a library, yours for instance, in the place of its file, as long as it has the same
interface: give it that file's name, and set its soname to it (patchelf --set-soname).

The files beside this one are the copyright notices, NAME.copyright for the distribution's package
NAME, and the licences that they refer to.
"""


class Library(NamedTuple):
    """A library in the wheel, and where it came from."""

    file: str
    package: str
    source: str
    version: str
    license: str


def ask(*command: str | Path) -> str:
    """Return what a program prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def source_date() -> str:
    """Return the date that files in the archives carry: the last commit's, in seconds."""
    try:
        return ask("git", "-C", ROOT, "log", "-1", "--format=%ct")
    except (OSError, subprocess.CalledProcessError):
        return str(int((ROOT / "CHANGELOG.md").stat().st_mtime))


def origin(library: Path, bundled: str) -> Library:
    """Asks the package manager for a library's origin.

    Args:
        library: The file on this machine.
        bundled: Its name in the wheel.
    """
    # A package may name the file under /lib where /lib is a link to /usr/lib, or the other way.
    real = str(library.resolve())
    for path in (real, real.removeprefix("/usr"), f"/usr{real}"):
        found = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True)  # noqa: PLW1510
        if found.returncode == 0:
            package = found.stdout.split(": ")[0]
            break
    else:
        sys.exit(f"{library} belongs to no package: its licence cannot be told.")
    fields = ask("dpkg-query", "-W", "-f", "${source:Package} ${source:Version}", package).split()
    name = library.name.split(".")[0].split("-")[0]
    if name not in LICENSES:
        sys.exit(f"{library} would go into the wheel: add its licence to tools/wheel.py.")
    return Library(bundled, package.split(":")[0], fields[0], fields[1], LICENSES[name])


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist and, from what is in it, a wheel; return both."""
    subprocess.run(
        [
            *(ROOT / "tools" / "quietly", "Building the sdist and the wheel"),
            *(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT),
        ],
        check=True,
        cwd=ROOT,
        # No debugging information: it names the folder of the build, which is another each time.
        env={**os.environ, "CFLAGS": f"{os.environ.get('CFLAGS', '')} -g0"},
    )
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def date_like_the_wheel(sdist: Path) -> None:
    """Give all files in an sdist one date and no owner: from the same sources, the same sdist."""
    date = int(os.environ["SOURCE_DATE_EPOCH"])

    new = sdist.with_suffix(".new")
    with (
        tarfile.open(sdist) as old,
        new.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=date) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for member in sorted(old, key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = date, 0, 0, "", ""
            member.pax_headers = {}  # they have the date again, and more exactly
            tar.addfile(member, old.extractfile(member) if member.isfile() else None)
    new.replace(sdist)


def bundle(wheel: Path, folder: Path) -> tuple[Path, list[Library]]:
    """Put the libraries into a wheel; return the new one, and what is in it."""
    # What auditwheel looks for on PATH comes from the environment that runs this.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    abi = analyze_wheel_abi(
        None, None, wheel, frozenset(), disable_isa_ext_check=False, allow_graft=True
    )
    policy = abi.overall_policy
    if policy == abi.policies.linux:
        policy = abi.sym_policy
    libraries: dict[str, Path] = {}
    for references in abi.full_external_refs.values():
        needed = references[policy.name].libs
        # Every manylinux has zlib, says auditwheel; a container made from nothing has not.
        needed[ZLIB] = ldd(needed["libbpf.so.1"]).libraries[ZLIB].realpath
        libraries |= needed
    repaired = repair_wheel(
        abi,
        wheel,
        abis=[policy.name, *policy.aliases],
        lib_sdir=".libs",
        out_dir=folder,
        update_tags=True,
        patcher=ElfPatcher.get_patcher("patchelf", policy.name),
        strip=True,
        zip_compression_level=zlib.Z_BEST_COMPRESSION,
    )
    with InWheelCtx(repaired) as content:
        bundled = sorted(path.name for path in Path(content.path, "userrb.libs").iterdir())
    return repaired, [
        origin(path, next(name for name in bundled if name.startswith(path.name.split(".")[0])))
        for path in sorted(libraries.values())
    ]


def notice(libraries: Iterable[Library]) -> str:
    """Write the notice that goes with the libraries."""
    name = ask("sh", "-c", '. /etc/os-release; echo "$PRETTY_NAME"')
    blocks = [
        f"  {library.file}\n"
        f"      licence: {library.license}\n"
        f"      source package: {library.source} {library.version}"
        for library in libraries
    ]
    return NOTICE.format(libraries="\n".join(blocks), distribution=name)


def add_licenses(wheel: Path, target: Path, libraries: list[Library]) -> None:
    """Copy a wheel, with the licences of its libraries in it and named in its metadata."""
    with InWheelCtx(wheel, target) as content:
        info = next(Path(content.path).glob("*.dist-info"))
        folder = info / "licenses" / "third-party"
        folder.mkdir()
        (folder / "NOTICE.txt").write_text(notice(libraries))
        common: set[str] = set()
        for library in libraries:
            text = Path(f"/usr/share/doc/{library.package}/copyright").read_text()
            (folder / f"{library.package}.copyright").write_text(text)
            common |= set(re.findall(rf"{COMMON_LICENSES}/(L?GPL[\w.-]*\w)", text))
        # The LGPL's third version is an addition to the GPL's.
        common |= {"GPL-3"} if "LGPL-3" in common else set()
        for name in common:
            shutil.copyfile(COMMON_LICENSES / name, folder / f"{name}.txt")

        names = sorted(f"third-party/{path.name}" for path in folder.iterdir())
        metadata = (info / "METADATA").read_text()
        terms = ["MIT", *sorted({library.license for library in libraries})]
        expression = " AND ".join(f"({term})" if " " in term else term for term in terms)
        for field, value in (
            (r"License-Expression: MIT\n", f"License-Expression: {expression}\n"),
            (
                r"License-File: LICENSE\n",
                "".join(f"License-File: {name}\n" for name in ("LICENSE", *names)),
            ),
        ):
            metadata, replaced = re.subn(field, value, metadata, count=1)
            if not replaced:
                sys.exit(f"The wheel's metadata lacks {field!r}.")
        (info / "METADATA").write_text(metadata)


def main(target: Path) -> int:
    """Build aside, and move what is whole into the folder, in the place of what was there."""
    # It would say that the demo's BPF object is for no machine that it knows.
    logging.getLogger("auditwheel").setLevel(logging.ERROR)
    os.environ.setdefault("SOURCE_DATE_EPOCH", source_date())
    if not shutil.which("dpkg-query"):
        sys.exit("make wheel needs Debian or a relative: there is no dpkg-query here.")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            sdist, plain = build(folder)
        except subprocess.CalledProcessError as error:
            return error.returncode  # tools/quietly has shown what there is to say
        date_like_the_wheel(sdist)
        (folder / "repaired").mkdir()
        repaired, libraries = bundle(plain, folder / "repaired")
        finished = folder / "finished" / repaired.name
        finished.parent.mkdir()
        add_licenses(repaired, finished, libraries)
        for old in (*target.glob("userrb-*.whl"), *target.glob("userrb-*.tar.gz")):
            old.unlink()
        for made in (sdist, finished):
            shutil.move(made, target / made.name)
            print(target / made.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"))
