"""The search of the built site: the first word that comes to mind leads to the page wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pages.browser import reading

MAP = "linux/map-type/BPF_MAP_TYPE_USER_RINGBUF/"
HELPER = "linux/helper-function/bpf_user_ringbuf_drain/"
BLOCKING = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve_blocking/"
RESERVE = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve/"
WAITING = "guides/pitfalls/waiting/"
HANDLES = "guides/pitfalls/handles/"
INSTALL = "userrb/install/"
REFERENCE = "userrb/reference/"
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
    "pip": {INSTALL},
    "install": {INSTALL},
    "asyncio": {"guides/asyncio/"},
    "NumPy": {"guides/batching-and-packing/"},
    "mmap": {MAP},
    "thread": {HANDLES},
    "lock": {HANDLES},
    "lost samples": {HANDLES},
    "fork": {HANDLES, REFERENCE},
    "multiprocessing": {REFERENCE},
    "E2BIG": {"guides/pitfalls/", "guides/pitfalls/sizes/"},
    "wedged": {"guides/pitfalls/sizes/"},
    "RingFull": {"userrb/exceptions/"},
    "drain callback": {HELPER},
    "verifier": {HELPER},
    "queue": {"guides/when-to-use-it/"},
    "benchmark": {"performance/"},
    "latency": {"performance/"},
    "kernel version": {"kernels/"},
    "python 3.13": {INSTALL},
    "permission": {INSTALL},
    "root": {INSTALL},
    "sudo": {INSTALL},
    "docker": {INSTALL},
    "aarch64": {INSTALL},
    "debian": {INSTALL},
    "alpine": {INSTALL},
    "glibc": {INSTALL},
    "struct": {"userrb/layouts/"},
    "BTF": {"ebpf-library/libbpf/userspace/btf__load_vmlinux_btf/"},
    "attach": {"ebpf-library/libbpf/userspace/bpf_program__set_attach_target/"},
    "consumer": {"userrb/answers/"},
    "pinned": {REFERENCE},
}
"""Of each word, the pages of which one has to be first or second."""

_LINKS = ".md-search-result__item > a.md-search-result__link:first-of-type"
_META = "document.querySelector('.md-search-result__meta').textContent"
_TYPE = "(box, words) => { box.value = words; box.dispatchEvent(new KeyboardEvent('keyup')) }"


Search = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def search(site: Path) -> Iterator[Search]:
    """Searches the built site as a reader does; returns the pages found, best first."""
    with reading(site) as reader, reader.context() as context:
        page = context.new_page()
        page.goto(f"{reader.url}?q=ring")
        page.wait_for_function(f"/document/.test({_META})")
        box = page.locator("[data-md-component=search-query]")

        def ask(words: str) -> list[str]:
            box.evaluate(_TYPE, "qzqzqz")
            page.wait_for_function(f"/No matching/.test({_META})")
            box.evaluate(_TYPE, words)
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
