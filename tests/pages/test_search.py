"""The search of the built site: the first word that comes to mind leads to the page wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.pages.browser import reading

MAP = "linux/map-type/BPF_MAP_TYPE_USER_RINGBUF/"
HELPER = "linux/helper-function/bpf_user_ringbuf_drain/"
BLOCKING = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve_blocking/"
RESERVE = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve/"
WAITING = "guides/pitfalls/waiting/"
WANTED = {
    "user_ringbuf": {MAP},
    "USER_RINGBUF": {MAP},
    "ringbuf": {MAP},
    "ring_buffer": {MAP},
    "reserve_blocking": {BLOCKING},
    "drain": {HELPER},
    "ENOSPC": {BLOCKING, RESERVE},
    "EBUSY": {HELPER},
    "timeout": {BLOCKING},
    "spin": {WAITING},
    "block": {BLOCKING},
    "epoll": {WAITING, "ebpf-library/libbpf/userspace/ring_buffer__epoll_fd/"},
    "Ctrl-C": {WAITING},
    "pip": {"userrb/install/"},
    "install": {"userrb/install/"},
    "asyncio": {"guides/asyncio/"},
    "NumPy": {"guides/batching-and-packing/"},
}
"""Of each word, the pages of which one has to be first or second."""

_LINKS = ".md-search-result__item > a.md-search-result__link:first-of-type"
_DONE = """() => /document/.test(document.querySelector('.md-search-result__meta').textContent)"""


Search = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def search(site: Path) -> Iterator[Search]:
    """Searches the built site as a reader does; returns the pages found, best first."""
    with reading(site) as reader, reader.context() as context:
        page = context.new_page()

        def ask(words: str) -> list[str]:
            page.goto(f"{reader.url}?q={quote(words)}")
            page.wait_for_function(_DONE)
            page.wait_for_selector(_LINKS, state="attached")
            found = page.eval_on_selector_all(_LINKS, "links => links.map(link => link.href)")
            return [re.split("[?#]", link.removeprefix(reader.url))[0] for link in found]

        yield ask


@pytest.mark.parametrize("word", WANTED)
def test_a_word_leads_to_its_page(search: Search, word: str) -> None:
    """The page that a reader wants is first or second."""
    found = search(word)
    assert WANTED[word] & set(found[:2]), found[:5]


def test_the_account_of_the_blocks_is_never_found(search: Search) -> None:
    """The page that lists every code block has every word, and answers no question."""
    found = search("refused")
    assert HELPER in found
    assert "coverage/" not in found
