"""`proof check`: how far the blocks of others' pages get, and that nothing of theirs runs here."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from proof.__main__ import main

pytestmark = pytest.mark.host

PAGE = """\
# T

```c
int x = ;
```

```c
#include <stdio.h>
int main(void) { puts("hi"); return 0; }
```

```c
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }
char LICENSE[] SEC("license") = "GPL";
```

```c
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int pass(struct xdp_md *ctx) { return *(int *)(long)ctx->data; }
char LICENSE[] SEC("license") = "GPL";
```

```python
import os; os.system("touch /var/tmp/proof-check-was-here")
```

```console
$ uname -s
Linux
```

```sh
$ echo 1
2
```

```json
{"a": 1}
```

```mermaid
graph
```

```c
SEC("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }
```
"""
PRELUDE = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
MARK = Path("/var/tmp/proof-check-was-here")  # noqa: S108 - what a page of others tries to make


def check(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, object]]:
    """Check; return the rows."""
    assert main(["check", "--json", *map(str, words)]) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_each_block_gets_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks parse, compile, load, run and print; what fails says why; all of it in a guest."""
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "prelude.h").write_text(PRELUDE)
    junit = tmp_path / "junit.xml"
    rows = check(capsys, tmp_path, "--prelude", tmp_path / "prelude.h", "--junitxml", junit)
    assert [(row["line"], row["reached"], row["wanted"]) for row in rows] == [
        (3, "found", "compiles"),
        (7, "runs", "runs"),
        (12, "loads", "loads"),
        (19, "compiles", "loads"),
        (26, "runs", "runs"),
        (30, "prints", "prints"),
        (35, "runs", "prints"),
        (40, "parses", "parses"),
        (44, "found", "found"),
        (48, "loads", "loads"),
    ]
    assert [row["line"] for row in rows if row["prelude"]] == [48]
    assert rows[3]["why"] == "verifier: R1 offset is outside of the packet"
    assert not MARK.exists()
    failed = ET.parse(junit).findall(".//failure/..")  # noqa: S314 - our own
    assert [case.get("line") for case in failed][:3] == ["3", "19", "35"]


def test_without_a_guest_blocks_are_read_and_compiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--no-run boots nothing, and asks no more of a block than it can have."""
    (tmp_path / "page.md").write_text(PAGE)
    rows = check(capsys, tmp_path, "--no-run")
    assert {row["wanted"] for row in rows} == {"found", "parses", "compiles"}
    assert [row["line"] for row in rows if row["why"]] == [3, 48]


def test_what_cannot_be_read_does_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that is no text is a row, and so are blocks of fences without an end."""
    (tmp_path / "a.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.md").write_text("# T\n\n```json\n{}\n")
    rows = check(capsys, tmp_path, "--no-run")
    assert [(row["language"], row["reached"]) for row in rows] == [
        ("page", "found"),
        ("json", "parses"),
    ]


def test_scripts_have_sudo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script runs as root in the guest, whether or not it asks for that."""
    (tmp_path / "page.md").write_text("# T\n\n```bash\nsudo test $(id -u) = 0\n```\n")
    assert [row["reached"] for row in check(capsys, tmp_path)] == ["runs"]


def test_a_sites_own_code_is_not_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hooks are not run; tabs are read, and links within code are what a reader sees."""
    (tmp_path / "mkdocs.yml").write_text("site_name: x\nhooks: [hook.py]\n")
    (tmp_path / "hook.py").write_text(f"open({str(MARK)!r}, 'w')\n")
    (tmp_path / "docs").mkdir()
    text = '# T\n\n=== "C"\n\n    ```c\n    [int](../int.md) x;\n    ```\n'
    (tmp_path / "docs/index.md").write_text(text)
    rows = check(capsys, tmp_path / "docs", "--no-run")
    assert [(row["line"], row["reached"]) for row in rows] == [(5, "compiles")]
    assert not MARK.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.md"], "nothing.md: is no file and no folder"),
        ([".", "--prelude", "none.h"], "none.h: is no file; give --prelude a header"),
        ([".", "--kernel", "9.9"], "no kernel is called '9.9'"),
    ],
)
def test_bad_arguments_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    """A path or a kernel that is not there is named."""
    monkeypatch.chdir(tmp_path)
    assert main(["check", *words]) == 1
    assert said in capsys.readouterr().err


def test_strict_fails_where_a_block_falls_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI can ask for an exit status; without that, a table is all there is."""
    (tmp_path / "page.md").write_text("# T\n\n```json\n{\n```\n")
    words = ["check", str(tmp_path), "--no-run"]
    assert main(words) == 0
    assert main([*words, "--strict"]) == 1
    assert "page.md:3: json: found, of parses" in capsys.readouterr().out


def test_ctrl_c_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who interrupts the check gets a line and the status of shells, and no half of a file."""
    (tmp_path / "page.md").write_text("# T\n\n```json\n{}\n```\n")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("proof.check.ladder.fault", interrupt)
    junit = tmp_path / "junit.xml"
    assert main(["check", str(tmp_path), "--no-run", "--junitxml", str(junit)]) == 130
    assert capsys.readouterr().err.endswith("proof: interrupted\n")
    assert not junit.exists()
