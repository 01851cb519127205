"""The account of every code block: what it calls each, and that nothing escapes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proof.record.coverage import Coverage, Fate, cover
from proof.record.record import write
from proof.run.prove import prove
from tests.proof.scratch import Scratch, chosen, console

FAILING = """\
# Page

## Example

```c title="good.c"
#include "own.h"
int main(void) { return ZERO; }
```

```c title="own.h"
#define ZERO 0
```

```c title="bad.c"
int main(void) { return
```

```console
$ cc -o good good.c
$ ./good
```

```console
$ cc -o bad bad.c
bad.c: In function [..]
...
$ echo $?
1
```

## Shown

```c {.illustration}
int x;
```
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[str], Coverage]:
    """Writes a page, runs and records its examples, and accounts for its blocks."""
    site = Scratch(tmp_path)

    def account(text: str) -> Coverage:
        for example in site.page(text).examples:
            write(prove(example, chosen()), site.site())
        return cover(site.site())

    return account


def test_each_block_is_called_what_it_became(recorded: Callable[[str], Coverage]) -> None:
    """Files are compiled, commands ran, what had to fail is refused, the rest is illustration."""
    coverage = recorded(FAILING)
    assert [(line.what, line.fate) for line in coverage.lines] == [
        ("good.c", Fate.COMPILED),
        ("own.h", Fate.COMPILED),
        ("bad.c", Fate.REFUSED),
        ("commands", Fate.RAN),
        ("commands", Fate.REFUSED),
        ("c", Fate.ILLUSTRATION),
    ]
    assert coverage.whole
    assert coverage.percent == 100


def test_an_example_without_a_record_is_unaccounted_for(tmp_path: Path) -> None:
    """What has not been run as it stands on the page does not count."""
    site = Scratch(tmp_path)
    site.write("docs/index.md", console("$ echo a", "a"))
    done = site.python("proof", "coverage")
    assert done.returncode == 1
    assert "docs/index.md:5: the example 'example' has not been run as it stands" in done.stderr
    assert done.stdout.endswith("0 % of 1 block: 1 unaccounted for\n")


def test_a_block_that_nothing_accounts_for_fails_with_its_line(tmp_path: Path) -> None:
    """A bare block keeps the account from being whole, and is named."""
    site = Scratch(tmp_path)
    site.write("docs/index.md", "# Page\n\n```c\nint x;\n```\n")
    done = site.python("proof", "coverage")
    assert done.returncode == 1
    assert done.stderr.startswith("docs/index.md:3: nothing accounts for this c block")


def test_a_site_without_blocks_is_not_covered(tmp_path: Path) -> None:
    """Nothing counted is not everything accounted for."""
    site = Scratch(tmp_path)
    site.write("docs/index.md", "# Page\n")
    done = site.python("proof", "coverage")
    assert (done.returncode, done.stderr) == (1, "no page has a code block\n")


def test_a_page_that_cannot_be_read_keeps_the_account_below_100(tmp_path: Path) -> None:
    """A page whose blocks cannot be counted is a problem, even if all other blocks are good."""
    site = Scratch(tmp_path)
    site.write("docs/index.md", "# Page\n\n```text {.illustration}\na\n```\n")
    site.write("docs/other.md", '# Page\n\n--8<-- "nowhere.c"\n')
    coverage = cover(site.site())
    assert not coverage.whole
    assert coverage.percent == 99
