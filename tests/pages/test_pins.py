"""What the pages of bpf_obj_pin, bpf_obj_get and of the numbers of programs and maps say."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.child import become_nobody, in_child
from tests.pages.native import failed, native
from tests.pages.objects import Handle, bpf_map, kernels_name, program


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Mount a BPF file system of its own."""
    subprocess.run(["mount", "-t", "bpf", "bpf", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def numbers(loaded: Handle) -> int:
    """Return the descriptor of a loaded map."""
    fd: int = native.bpf_map__fd(bpf_map(loaded, "numbers"))
    return fd


@pytest.fixture
def count(loaded: Handle) -> int:
    """Return the descriptor of a loaded program."""
    fd: int = native.bpf_program__fd(program(loaded, "count"))
    return fd


def pin(fd: int, path: Path) -> int:
    """Pin a descriptor."""
    result: int = native.bpf_obj_pin(fd, os.fsencode(path))
    return result


def get(path: Path) -> int:
    """Open a pin."""
    fd: int = native.bpf_obj_get(os.fsencode(path))
    return fd


def test_pin_and_get(folder: Path, numbers: int, count: int) -> None:
    """A map and a program; the descriptor is a new one, closed on exec."""
    assert pin(numbers, folder / "map") == 0
    assert pin(count, folder / "program") == 0
    first, second = get(folder / "map"), get(folder / "program")
    assert first != numbers
    assert not os.get_inheritable(first)
    assert (kernels_name(first, 24), kernels_name(second, 64)) == (b"numbers", b"count")
    os.close(first)
    os.close(second)


def test_only_root_may_use_a_pin(folder: Path, numbers: int) -> None:
    """A pin is a file with the mode 0600."""
    assert pin(numbers, folder / "map") == 0
    assert (folder / "map").stat().st_mode & 0o777 == 0o600


def test_a_pin_is_a_file(folder: Path, numbers: int) -> None:
    """It can be linked, renamed and removed, and somebody who has it open keeps it."""
    assert pin(numbers, folder / "map") == 0
    (folder / "map").rename(folder / "renamed")
    fd = get(folder / "renamed")
    (folder / "renamed").unlink()
    assert kernels_name(fd, 24) == b"numbers"
    os.close(fd)


@pytest.mark.row("bpf_obj_pin", "already is a file")
def test_pin_where_something_is(folder: Path, numbers: int) -> None:
    """Pins are not replaced."""
    assert pin(numbers, folder / "map") == 0
    assert failed(pin(numbers, folder / "map")) == errno.EEXIST


@pytest.mark.row("bpf_obj_pin", "no such folder")
def test_pin_without_a_folder(folder: Path, numbers: int) -> None:
    """Folders are not made."""
    assert failed(pin(numbers, folder / "none" / "map")) == errno.ENOENT


@pytest.mark.row("bpf_obj_pin", "not in a BPF file system")
@pytest.mark.row("bpf_obj_pin", "a dot")
def test_pin_where_it_is_not_allowed(
    folder: Path, numbers: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Elsewhere than in a BPF file system, and under a name with a dot in it."""
    assert failed(pin(numbers, tmp_path_factory.mktemp("plain") / "map")) == errno.EPERM
    assert failed(pin(numbers, folder / "a.map")) == errno.EPERM


@pytest.mark.row("bpf_obj_pin", "not a map")
def test_pin_something_else(folder: Path) -> None:
    """A closed descriptor, and a file."""
    assert failed(pin(-1, folder / "none")) == errno.EINVAL
    with open("/dev/null") as file:  # noqa: PTH123
        assert failed(pin(file.fileno(), folder / "none")) == errno.EINVAL


@pytest.mark.row("bpf_obj_get", "no such file")
@pytest.mark.row("bpf_obj_get", "not a pin")
def test_get_something_else(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing, a folder, and a file of another file system."""
    assert failed(get(folder / "none")) == errno.ENOENT
    assert failed(get(folder)) == errno.EACCES
    plain = tmp_path_factory.mktemp("plain") / "file"
    plain.touch()
    assert failed(get(plain)) == errno.EACCES


@pytest.mark.row("bpf_obj_get", "may not read and write")
def test_get_without_the_right(folder: Path, numbers: int) -> None:
    """The mode of the file decides, as for files elsewhere."""
    folder.chmod(0o755)
    assert pin(numbers, folder / "map") == 0

    def unprivileged(expected: int) -> bool:
        os.chdir(folder)
        become_nobody()
        fd = native.bpf_obj_get(b"map")
        return fd >= 0 if not expected else failed(fd) == expected

    assert in_child(lambda: unprivileged(errno.EACCES)) == 1
    (folder / "map").chmod(0o666)
    assert in_child(lambda: unprivileged(0)) == 1


def number(fd: int, offset: int) -> int:
    """Ask the kernel for the number of a program or map: in its information, at the offset."""
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    assert native.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
    return int(struct.unpack_from("=I", info, offset)[0])


def test_descriptors_by_number(numbers: int, count: int) -> None:
    """They are new ones, closed on exec."""
    first = native.bpf_map_get_fd_by_id(number(numbers, 4))
    second = native.bpf_prog_get_fd_by_id(number(count, 4))
    assert first != numbers
    assert second != count
    assert not os.get_inheritable(first)
    assert not os.get_inheritable(second)
    assert (kernels_name(first, 24), kernels_name(second, 64)) == (b"numbers", b"count")
    os.close(first)
    os.close(second)


@pytest.mark.row("bpf_prog_get_fd_by_id", "no program")
@pytest.mark.row("bpf_map_get_fd_by_id", "no map")
def test_numbers_of_nothing() -> None:
    """A number that nothing has."""
    for function in (native.bpf_prog_get_fd_by_id, native.bpf_map_get_fd_by_id):
        assert failed(function(0x7FFFFFFF)) == errno.ENOENT
        assert failed(function(0)) == errno.ENOENT


@pytest.mark.row("bpf_prog_get_fd_by_id", "CAP_SYS_ADMIN")
@pytest.mark.row("bpf_map_get_fd_by_id", "CAP_SYS_ADMIN")
def test_numbers_without_privilege(numbers: int, count: int) -> None:
    """Descriptors by number are for root."""
    map_number, program_number = number(numbers, 4), number(count, 4)

    def unprivileged() -> bool:
        become_nobody()
        return (
            failed(native.bpf_map_get_fd_by_id(map_number)) == errno.EPERM
            and failed(native.bpf_prog_get_fd_by_id(program_number)) == errno.EPERM
        )

    assert in_child(unprivileged) == 1


def test_unmounting_removes_the_pins(folder: Path, numbers: int) -> None:
    """The next BPF file system that is mounted there does not have them."""
    assert pin(numbers, folder / "map") == 0
    subprocess.run(["umount", folder], check=True)
    subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
    assert not (folder / "map").exists()
