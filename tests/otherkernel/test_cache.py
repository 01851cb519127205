"""What is cached is what was once put there, or is made again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from otherkernel import cache
from otherkernel.errors import Error, FetchError, GuestHang, KernelFileError
from otherkernel.host import accelerator
from otherkernel.kernels import apt, catalogue, fetch, vmlinux


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a cache of the test's own."""
    monkeypatch.setenv("OTHERKERNEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(part: Path) -> None:
    """Put something into a cached folder."""
    (part / "deep").mkdir()
    (part / "deep" / "file").write_bytes(b"content")
    (part / "link").symlink_to("deep")


def flip(folder: Path) -> None:
    """Flip a bit of a file, and leave its size and times as they were."""
    file = folder / "deep" / "file"
    info = file.stat()
    file.write_bytes(b"contenu")
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda folder: (folder / "deep" / "file").write_bytes(b"cont"),
        lambda folder: (folder / "deep" / "file").unlink(),
        lambda folder: (folder / "link").unlink(),
        lambda folder: (folder / "more").write_bytes(b""),
        lambda folder: (folder / cache.SUMS).write_text(""),
        lambda folder: (folder / cache.SUMS).write_bytes(b"\xff"),
        lambda folder: (folder / cache.SUMS).unlink(),
    ],
    ids=["flipped", "cut", "removed", "no link", "added", "no sums", "bad sums", "old"],
)
def test_what_is_damaged_is_made_again(damage: object, capsys: pytest.CaptureFixture[str]) -> None:
    """One flipped byte, a cut file or a missing one is found at the next use, and said once."""
    folder = cache.filled("x/y", fill)
    cache.filled("x/y", lambda part: pytest.fail("it was sound"))
    damage(folder)  # type: ignore[operator]
    assert cache.filled("x/y", fill) == folder
    assert (folder / "deep" / "file").read_bytes() == b"content"
    assert capsys.readouterr().err.count("is damaged") == 1
    cache.filled("x/y", lambda part: pytest.fail("it was sound"))


def test_the_old_one_stays_until_the_new_one_is_whole(empty: Path) -> None:
    """A refresh that fails leaves what was there, and one that was killed is made good."""
    folder = cache.filled("x/y", fill)

    def fails(part: Path) -> None:
        assert (folder / "deep" / "file").exists()
        raise FetchError("no")

    with pytest.raises(FetchError):
        cache.filled("x/y", fails, refresh=True)
    assert (folder / "deep" / "file").read_bytes() == b"content"
    folder.rename(empty / "x" / ".y.old")  # killed between the two renames
    cache.filled("x/y", lambda part: pytest.fail("the old one was there"))
    assert os.listdir(empty / "x") == ["y"]


def test_a_lock_that_is_held_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits too long for another process is told for which file, without a traceback."""
    monkeypatch.setattr(cache, "LOCK_SECONDS", 0.1)
    with cache.locked("x"):
        failures: list[BaseException] = []

        def wait() -> None:
            try:
                cache.filled("x", fill)
            except Error as error:
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert "x.lock: another process has held this lock" in str(failures[0])


def test_a_lock_that_cannot_be_had_is_an_error_in_words(empty: Path) -> None:
    """So is one that cannot be opened."""
    (empty / "locks" / "x.lock").mkdir(parents=True)
    with pytest.raises(Error, match="OTHERKERNEL_CACHE"):
        cache.filled("x", fill)


def test_the_unused_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is easily made again, a limited number of bytes stays, and none unused for a week."""

    def large(part: Path) -> None:
        (part / "file").write_bytes(bytes(200))

    folders = [cache.filled(f"x/{number}", large, prune=True) for number in range(4)]
    for number, folder in enumerate(folders):
        os.utime(folder, (time.time() - 100 + number,) * 2)
    os.utime(folders[3], (0, 0))
    (folders[0].parent / "old.paths").write_text("x")
    os.utime(folders[0].parent / "old.paths", (0, 0))
    monkeypatch.setattr(cache, "_KEPT_BYTES", 1000)
    cache.filled("x/0", large, prune=True)  # as used as a new one
    cache.filled("x/4", large, prune=True)
    cache.filled("x/5", large, prune=True)
    left = {path.name for path in folders[0].parent.iterdir()}
    assert left == {"0", "4", "5"}


def test_what_is_read_later_is_found_damaged() -> None:
    """A folder that was not read at once is read by `check`, and made anew after that."""
    unread: list[Path] = []
    folder = cache.filled("x/y", fill, unread=unread)
    assert unread == []  # just made
    cache.filled("x/y", fill, unread=unread)
    cache.check(unread)
    flip(folder)
    cache.filled("x/y", fill, unread=unread)
    with pytest.raises(cache.Damaged, match="x/y is damaged"):
        cache.check(unread)
    assert (cache.filled("x/y", fill) / "deep" / "file").read_bytes() == b"content"
    cache.check(unread)


@pytest.fixture(scope="session")
def image() -> bytes:
    """Return a kernel from the user's own cache."""
    return fetch.kernel(catalogue.load().find("6.12")).read_bytes()


def test_a_damaged_kernel_is_fetched_again(
    image: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flipped byte, or a cut kernel, is fetched again by itself."""

    def fetched(*args: object) -> apt.Package:
        (args[-1] / "boot").mkdir()  # type: ignore[operator]
        (args[-1] / "boot" / "vmlinuz-6.12.1").write_bytes(image)  # type: ignore[operator]
        return apt.Package("linux-image", "1", "")

    monkeypatch.setattr(fetch, "_fetch", fetched)
    wanted = catalogue.load().find("6.12")
    kernel = fetch.kernel(wanted)
    for damaged in (image[:5000], image[:-1] + bytes([image[-1] ^ 1])):
        kernel.write_bytes(damaged)
        assert fetch.kernel(wanted).read_bytes() == image
    assert capsys.readouterr().err.count("is damaged") == 2


def test_a_kernel_that_is_no_longer_whole_is_named(image: bytes, tmp_path: Path) -> None:
    """A cut or spoilt kernel, by its path, is an error in words at any length."""
    kernel = tmp_path / "vmlinuz"
    for size in (600, 5000, len(image) // 2):
        kernel.write_bytes(image[:size])
        with pytest.raises(KernelFileError, match="cut off"):
            vmlinux.bootable(kernel)
    middle = len(image) // 2
    kernel.write_bytes(image[:middle] + bytes(64) + image[middle + 64 :])
    with pytest.raises(KernelFileError, match="damaged"):
        vmlinux.bootable(kernel)
    kernel.write_bytes(image)
    unpacked = vmlinux.bootable(kernel).read_bytes()
    for size in (5, 50, 100):
        kernel.write_bytes(unpacked[:size])
        with pytest.raises(KernelFileError, match=r"cut off|CONFIG_PVH"):
            vmlinux.bootable(kernel)


def test_one_bad_boot_does_not_rule_out_kvm_for_good(
    monkeypatch: pytest.MonkeyPatch, empty: Path
) -> None:
    """A probe that failed is made again after a day, and one that succeeded is not."""
    monkeypatch.delenv("OTHERKERNEL_ACCEL", raising=False)
    monkeypatch.setattr(accelerator, "DEVICE", Path("/dev/null"))
    probes = []

    def boots() -> None:
        probes.append(1)
        if len(probes) == 1:
            raise GuestHang("once")

    assert not accelerator.use_kvm(boots)
    assert not accelerator.use_kvm(boots)
    (answer,) = empty.glob("kvm/*/answer")
    os.utime(answer, (0, 0))
    assert accelerator.use_kvm(boots)
    (answer,) = empty.glob("kvm/*/answer")
    os.utime(answer, (0, 0))
    assert accelerator.use_kvm(boots)
    assert len(probes) == 2


def mirror(folder: Path, suite: str, claims: str) -> str:
    """Make an archive without any signature; return its address."""
    lists = folder / "dists" / suite / "main" / "binary-amd64"
    lists.mkdir(parents=True)
    (lists / "Packages").write_text("Package: x\nVersion: 1\nArchitecture: amd64\n\n")
    (folder / "dists" / suite / "Release").write_text(f"{claims}Components: main\n")
    return f"file:{folder}"


def private(folder: Path, uri: str, suite: str) -> apt.PrivateApt:
    """Return an apt that reads one suite."""
    keyring = Path(catalogue.load().distributions["debian"].keyring)
    return apt.PrivateApt(folder / "private", uri, (suite,), "amd64", keyring)


HOSTILE = """
Acquire::AllowInsecureRepositories "true";
Acquire::AllowWeakRepositories "true";
Acquire::AllowDowngradeToInsecureRepositories "true";
APT::Get::AllowUnauthenticated "true";
APT::Update::Error-Mode "persistent-failure";
APT::Update::Pre-Invoke { "touch %s/hook"; };
APT::Update::Post-Invoke { "touch %s/hook"; };
Acquire::http::Proxy "http://127.0.0.1:9";
"""


def test_the_systems_settings_do_not_switch_signatures_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unsigned archive is refused, and no hook runs, whatever the system's apt.conf says."""
    (tmp_path / "hostile.conf").write_text(HOSTILE.replace("%s", str(tmp_path)))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "hostile.conf"))
    uri = mirror(tmp_path / "mirror", "trixie", "Suite: trixie\n")
    with pytest.raises(FetchError, match="not signed by the distribution's keys"):
        private(tmp_path, uri, "trixie").update()
    assert not (tmp_path / "hook").exists()
    # How a mirror is reached is taken over.
    assert "127.0.0.1:9" in (tmp_path / "private" / "apt.conf").read_text()


def test_another_suites_lists_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that are signed, but say that they are another suite's, are no answer."""
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(apt, "_call", lambda *args: done)
    one = private(tmp_path, "http://mirror/debian", "trixie")
    signed = tmp_path / "private" / "lists" / "mirror_debian_dists_trixie_InRelease"
    signed.write_text("Origin: Debian\nSuite: oldstable\nCodename: bookworm\nComponents: main\n")
    with pytest.raises(FetchError, match="say that they are of bookworm and oldstable"):
        one.update()
    signed.write_text("Origin: Debian\nSuite: stable\nCodename: trixie\nComponents: main\n")
    one.update()


def test_another_kernels_package_is_refused(tmp_path: Path) -> None:
    """What is called 6.12 is a 6.12; what is called newest may be anything."""
    for place, name in (("boot", "vmlinuz-6.1.0-32-cloud"), ("lib/modules/6.120.1", "vmlinuz")):
        source = tmp_path / f"in {place}".replace("/", " ")
        (source / place).mkdir(parents=True)
        (source / place / name).write_text("x")
        with pytest.raises(FetchError, match=r"gives Linux 6\.1.* for 6\.12"):
            fetch._keep_kernel("6.12", source, tmp_path)
        fetch._keep_kernel("newest", source, tmp_path)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("E: Failed to fetch x  Hash Sum mismatch", "wrong checksums"),
        ("W: GPG error: x: NO_PUBKEY 1234", "not signed by"),
        ("E: The repository 'x' is not signed.", "not signed by"),
        ("E: Could not resolve 'x'", "is the network there"),
    ],
)
def test_what_apt_complains_of_is_said(tmp_path: Path, said: str, words: str) -> None:
    """A wrong checksum or signature is told from a mirror that cannot be reached."""
    one = private(tmp_path, "http://mirror/debian", "trixie")
    assert words in str(one._failed("no", said))


def test_the_command_line_says_it_in_words(tmp_path: Path, image: bytes) -> None:
    """A kernel that is cut off is one line and status 125, no traceback."""
    (tmp_path / "vmlinuz").write_bytes(image[:100_000])
    words = ["run", "--kernel", str(tmp_path / "vmlinuz"), "--", "true"]
    done = subprocess.run(
        [sys.executable, "-m", "otherkernel", *words], capture_output=True, text=True
    )
    assert done.returncode == 125
    assert done.stderr.startswith("otherkernel: ")
    assert "cut off" in done.stderr
    assert "Traceback" not in done.stderr
