"""The kernels as data: reads `catalogue.toml` and refuses what it does not understand."""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from otherkernel.errors import KernelFileError

DATA = Path(__file__).with_name("catalogue.toml")

T = TypeVar("T", bound=tuple[Any, ...])


class Distribution(NamedTuple):
    """An archive of packages and the key that signs it.

    Attributes:
        name: What kernels call it.
        archive: The last part of its address, beside the other archives of the same mirror.
        keyring: The file with its keys, where its own package puts it.
        keyring_distribution: Whose archive has the keyring, if the system does not.
        keyring_suite: The suite there.
        keyring_package: The package there.
    """

    name: str
    archive: str
    keyring: str
    keyring_distribution: str = ""
    keyring_suite: str = ""
    keyring_package: str = ""


class Kernel(NamedTuple):
    """A distribution's kernel.

    Attributes:
        name: Its key.
        distribution: The name of its distribution.
        suites: The suites to look in; the highest version of them all is taken.
        package: Image package, or a meta-package that leads to one.
        architecture: As Debian calls it.
    """

    name: str
    distribution: str
    suites: tuple[str, ...]
    package: str
    architecture: str


class Library(NamedTuple):
    """A distribution's build of a library.

    Attributes:
        name: Its key.
        distribution: The name of its distribution.
        suite: The suite there.
        package: The package with it.
        c_library: The package with the C library that it was linked with.
        architecture: As Debian calls it.
    """

    name: str
    distribution: str
    suite: str
    package: str
    c_library: str
    architecture: str


class Catalogue(NamedTuple):
    """All of the data file.

    Attributes:
        default: The kernel that serves where the host's own cannot be used.
        distributions: By name.
        kernels: By name.
        libraries: By name.
    """

    default: str
    distributions: dict[str, Distribution]
    kernels: dict[str, Kernel]
    libraries: dict[str, Library]

    def find(self, key: str) -> Kernel:
        """Return the kernel called `key`.

        Raises:
            KernelFileError: There is none; the message lists those there are.
        """
        if key not in self.kernels:
            known = ", ".join(self.kernels)
            raise KernelFileError(
                f"no kernel is called {key!r}: name one of {known}, or give the path of a vmlinuz"
            )
        return self.kernels[key]


def _build(kind: type[T], where: str, name: str, table: object) -> T:
    """Make a tuple of a TOML table, refusing unknown and missing keys and wrong types."""
    if not isinstance(table, dict):
        raise KernelFileError(f"{where}: a table is needed, not {table!r}")
    known = {key: of for key, of in kind.__annotations__.items() if key != "name"}
    for key in table:
        if key not in known:
            raise KernelFileError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")
    values: dict[str, Any] = {"name": name}
    for key, of in known.items():
        if key not in table:
            if key not in kind._field_defaults:  # type: ignore[attr-defined]
                raise KernelFileError(f"{where}: the key {key!r} is missing")
            continue
        value = table[key]
        if of is str:
            if not isinstance(value, str) or not value:
                raise KernelFileError(f"{where}: {key} must be a string, not {value!r}")
        else:
            if not (isinstance(value, list) and value and all(isinstance(v, str) for v in value)):
                raise KernelFileError(f"{where}: {key} must be a list of strings, not {value!r}")
            value = tuple(value)
        values[key] = value
    return kind(**values)


def load(path: Path = DATA) -> Catalogue:
    """Read the data file.

    Raises:
        KernelFileError: It is no TOML, or holds an unknown key, or lacks a needed one.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise KernelFileError(f"{path}: {error}") from error
    known = Catalogue._fields
    for key in data:
        if key not in known:
            raise KernelFileError(f"{path}: unknown key {key!r}; known are {', '.join(known)}")
    distributions = {
        name: _build(Distribution, f"{path}: distributions.{name}", name, table)
        for name, table in data.get("distributions", {}).items()
    }
    kernels = {
        name: _build(Kernel, f"{path}: kernels.{name}", name, table)
        for name, table in data.get("kernels", {}).items()
    }
    libraries = {
        name: _build(Library, f"{path}: libraries.{name}", name, table)
        for name, table in data.get("libraries", {}).items()
    }
    sources: list[Kernel | Library] = [*kernels.values(), *libraries.values()]
    for each in sources:
        if each.distribution not in distributions:
            raise KernelFileError(
                f"{path}: {each.name}: unknown distribution {each.distribution!r}"
            )
    if data.get("default") not in kernels:
        raise KernelFileError(f"{path}: default: must name one of the kernels {', '.join(kernels)}")
    return Catalogue(data["default"], distributions, kernels, libraries)
