"""The kernels' data file, and how kernels come into the cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from otherkernel import cache
from otherkernel.errors import FetchError, KernelFileError
from otherkernel.kernels import catalogue as kernels
from otherkernel.kernels import fetch, vmlinux
from otherkernel.machine import Machine

pytestmark = pytest.mark.vm

GOOD = kernels.DATA.read_text()


def refused(folder: Path, text: str) -> str:
    """Returns the message with which a data file is refused."""
    path = folder / "kernels.toml"
    path.write_text(text)
    with pytest.raises(KernelFileError) as error:
        kernels.load(path)
    return str(error.value)


def test_the_data_file_is_sound() -> None:
    """It has a kernel before 6.1, 6.1 itself, 6.12, and the newest."""
    assert {"5.10", "6.1", "6.12", "newest"} <= kernels.load().kernels.keys()


def test_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    """An unknown key is refused at every level, and the message has it and the known ones."""
    message = refused(tmp_path, GOOD + 'versoin = "1"\n')
    assert (
        "libraries.libbpf newest: unknown key 'versoin'; known are distribution, suite" in message
    )
    assert "unknown key 'kernel'" in refused(tmp_path, "kernel = 1\n" + GOOD)
    bad = GOOD.replace("[distributions.ubuntu]", '[distributions.ubuntu]\nhost = "x"')
    assert "distributions.ubuntu: unknown key 'host'" in refused(tmp_path, bad)


def test_a_wrong_value_is_an_error(tmp_path: Path) -> None:
    """A missing key, a wrong type, an unknown distribution and bad TOML are each refused."""
    without = GOOD.replace('package = "linux-image-virtual"\n', "")
    assert "'package' is missing" in refused(tmp_path, without)
    single = GOOD.replace('suites = ["trixie"]', 'suites = "trixie"')
    assert "suites must be a list" in refused(tmp_path, single)
    unknown = GOOD.replace('distribution = "ubuntu"', 'distribution = "gentoo"')
    assert "unknown distribution 'gentoo'" in refused(tmp_path, unknown)
    assert refused(tmp_path, "[kernels")


def test_no_network_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached kernel and its unpacked image need neither apt nor network."""
    kernel = kernels.load().find("6.12")
    first = vmlinux.bootable(fetch.kernel(kernel))

    def never(*args: object, **options: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "run", never)
    monkeypatch.setattr(subprocess, "Popen", never)
    assert vmlinux.bootable(fetch.kernel(kernel)) == first
    assert (fetch.cached_version(kernel) or "").startswith("linux-image-6.12.")


def offline(folder: Path) -> dict[str, str]:
    """Returns an environment with an empty cache in which apt reaches nothing."""
    configuration = folder / "apt.conf"
    configuration.write_text('Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n')
    return {
        **os.environ,
        "OTHERKERNEL_CACHE": str(folder / "cache"),
        "APT_CONFIG": str(configuration),
    }


def test_offline_with_an_empty_cache_says_what_to_do(tmp_path: Path) -> None:
    """Without network and cache the error names the way out, and leaves no half kernel."""
    env = offline(tmp_path)
    command = [sys.executable, "-m", "otherkernel", "run", "--kernel", "6.12", "--", "true"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 125
    assert "is the network there?" in done.stderr
    assert "--kernel PATH" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache" / "kernels").glob("*"))


def test_concurrent_callers_share_one_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processes that want the same folder fill it once, and all see it whole."""
    monkeypatch.setenv("OTHERKERNEL_CACHE", str(tmp_path))
    script = (
        "import os, time\nfrom otherkernel import cache\n"
        "def fill(part):\n"
        "    (part / 'a').write_text(str(os.getpid())); time.sleep(0.5)\n"
        "    (part / 'b').write_text('b')\n"
        "folder = cache.filled('x/y', fill)\n"
        "print((folder / 'a').read_text(), (folder / 'b').read_text())\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_a_failed_fill_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill that fails leaves no folder under its name, and the next one starts afresh."""
    monkeypatch.setenv("OTHERKERNEL_CACHE", str(tmp_path))

    def fails(part: Path) -> None:
        (part / "half").write_text("")
        raise FetchError("no")

    with pytest.raises(FetchError):
        cache.filled("x", fails)
    assert not (tmp_path / "x").exists()
    assert not (cache.filled("x", lambda part: None) / "half").exists()


def test_a_package_is_fetched_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any package of any suite can be had unpacked: Debian 13's libbpf on whatever runs here."""
    monkeypatch.setenv("OTHERKERNEL_CACHE", str(tmp_path))
    folder = fetch.unpacked("trixie", "libbpf1")
    assert list(folder.glob("usr/lib/*/libbpf.so.1.5*"))
    assert (folder / ".version").read_text().startswith("1:1.5")
    assert fetch.unpacked("trixie", "libbpf1") == folder
    with pytest.raises(FetchError, match="no package called nonsense"):
        fetch.unpacked("trixie", "nonsense")


def test_a_vmlinuz_by_path(tmp_path: Path) -> None:
    """The path of any vmlinuz serves as a kernel."""
    copy = tmp_path / "vmlinuz"
    shutil.copy(fetch.kernel(kernels.load().find("6.1")), copy)
    with Machine(copy) as machine:
        assert machine.release.startswith("6.1.")
        (tmp_path / "empty").mkdir()
        assert machine.run(["true"], cwd=tmp_path / "empty").returncode == 0
