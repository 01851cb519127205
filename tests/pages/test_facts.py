"""The facts on the pages are those of their sources: libbpf's ELF file and headers, the kernel."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from facts import families, kernel, kfuncs, libbpf, pages, program_types, themes
from facts.__main__ import main
from facts.errors import FactError
from facts.loading import Kind, load
from facts.program_types import KINDS, may_call

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = "ebpf-library/libbpf/userspace/user_ring_buffer__reserve_blocking.md"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """One page, in a docs directory of its own, which a test may spoil."""
    page = tmp_path / PAGE
    page.parent.mkdir(parents=True)
    shutil.copy(DOCS / PAGE, page)
    return page


def nav(folder: Path) -> Path:
    """Write a navigation that lists nothing yet."""
    file = folder / "mkdocs.yml"
    file.write_text("# [NAMES]\n# [/NAMES]\n")
    return file


def test_no_fact_on_a_page_has_drifted() -> None:
    """Every region is what its source says, and no page of a function lacks one."""
    found = [p for page in sorted(DOCS.rglob("*.md")) for p in pages.problems(page, DOCS)]
    assert not found, "\n".join(found)


def test_the_navigation_lists_every_page_of_a_name() -> None:
    """The part of mkdocs.yml that `make facts` writes has each page once, in its family."""
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert families.navigation(text, DOCS) == text
    listed = [
        p for group in families.groups() for _, its in families.families(group, DOCS) for p in its
    ]
    assert sorted(listed) == sorted(themes.pages(DOCS))


def test_a_declaration_is_that_of_the_page_s_own_side() -> None:
    """bpf_map_lookup_elem is a function of libbpf's and a helper, with other parameters."""
    name = "bpf_map_lookup_elem"
    assert libbpf.function(name).startswith("int bpf_map_lookup_elem(int fd,")
    assert libbpf.helper(name).startswith("static void *(*bpf_map_lookup_elem)")
    assert libbpf.macro("barrier_var") == "#define barrier_var(var)"
    assert kfuncs.prototype("bpf_cpumask_test_cpu") == (
        "bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *cpumask);"
    )
    pointer = "int f(void (*callback)(int a, int b), const char *name, ...);"
    assert libbpf.parameters(pointer, "f") == ["callback", "name"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("releases/tag/v1.1.0", "releases/tag/v1.2.0"), "is no longer what its source says"),
        (("__u32 size, int", "__u64 size, int"), "is no longer what its source says"),
        (("- `rb`: ", "- `ring`: "), "lists the parameters ['ring', 'size', 'timeout_ms']"),
        (("`E2BIG`", "an error"), "says nothing of E2BIG"),
        (("[LIBBPF_TAG]", "[LIBBPF_TAGS]"), "has no partner"),
    ],
)
def test_drift_names_the_page(
    copy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    said: str,
) -> None:
    """A wrong version, definition, parameter list or error table fails, and says where."""
    text = copy.read_text()
    assert change[0] in text
    copy.write_text(text.replace(*change))
    assert main(["--check", "--docs", str(tmp_path), "--nav", str(nav(tmp_path))]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert str(copy) in error


def test_a_missing_region_fails(copy: Path, tmp_path: Path) -> None:
    """A page of a libbpf function without its version tag is named."""
    lines = copy.read_text().splitlines(keepends=True)
    copy.write_text("".join(line for line in lines if "LIBBPF_TAG]" not in line))
    assert any("[LIBBPF_TAG]" in problem for problem in pages.problems(copy, tmp_path))


def test_facts_are_written_where_they_drifted(copy: Path, tmp_path: Path) -> None:
    """`make facts` puts right what the check complains of, and changes nothing else."""
    text = copy.read_text()
    copy.write_text(text.replace("tag/v1.1.0", "tag/v0.0.0").replace("__u32 size, int", "int"))
    assert main(["--docs", str(tmp_path), "--nav", str(nav(tmp_path))]) == 0
    assert copy.read_text() == text


def test_every_symbol_version_is_that_of_the_library() -> None:
    """All six functions came with libbpf 1.1.0, and a function that is none has no version."""
    for name in ("new", "free", "reserve", "reserve_blocking", "submit", "discard"):
        assert libbpf.symbol_version(f"user_ring_buffer__{name}") == "1.1.0"
    assert libbpf.symbol_version("bpf_program__set_log_buf") == "0.7.0"
    with pytest.raises(FactError, match="exports no symbol"):
        libbpf.symbol_version("user_ring_buffer__fly")


def test_a_definition_is_the_header_s() -> None:
    """Functions, helpers and structures are taken whole from the headers."""
    assert libbpf.function("user_ring_buffer__new") == (
        "struct user_ring_buffer *user_ring_buffer__new(int map_fd,"
        " const struct user_ring_buffer_opts *opts);"
    )
    drain = libbpf.helper("bpf_user_ringbuf_drain")
    assert drain.startswith("static long (*bpf_user_ringbuf")
    names = ["map", "callback_fn", "ctx", "flags"]
    assert libbpf.parameters(drain, "bpf_user_ringbuf_drain") == names
    assert "size_t sz;" in libbpf.structure("struct user_ring_buffer_opts")
    assert libbpf.version_tag("bpf_object__close") == ":octicons-tag-24: 0.0.1"
    assert libbpf.version_tag("bpf_core_enum_value").endswith("/releases/tag/v0.2)")


@pytest.mark.parametrize("feature", sorted(kernel.features().keys() - kfuncs.prototypes().keys()))
def test_the_headers_bear_out_a_kernel_version(feature: str) -> None:
    """Kernel headers declare a feature if, and only if, they are of its version or newer."""
    version, has = kernel.declared(feature)
    major, minor = kernel.features()[feature]["version"].split(".")
    assert has == (version >= (int(major), int(minor)))


@pytest.mark.parametrize("name", libbpf.macros())
def test_the_headers_define_the_macros(name: str) -> None:
    """Each macro of which a release is known is in the headers, which are newer."""
    assert libbpf.macro(name).startswith(f"#define {name}(")


@pytest.mark.host
def test_the_program_types_are_those_that_this_kernel_allows() -> None:
    """A program of each type, loaded now, contradicts nothing that the pages say."""
    found, said = program_types.measure(), program_types.read()
    assert not program_types.contradictions(found, said)
    assert {*said.kernels, *said.unknown} == set(KINDS)
    assert program_types.wanted().items() <= libbpf.helpers().items()
    assert found.may.keys() == said.may.keys() == program_types.wanted().keys()
    assert len(found.kernels) > 20


@pytest.mark.host
def test_a_type_that_may_not_is_told_from_one_that_cannot_be_loaded() -> None:
    """The verifier's words about the call, not the failure as such, make a refusal."""
    numbers = libbpf.helpers()
    (xdp,) = KINDS["XDP"]
    code, log = load(xdp, numbers["bpf_user_ringbuf_drain"])
    assert code
    assert "R1" in log, "the call has no arguments, which the verifier minds next"
    assert may_call(xdp, numbers["bpf_user_ringbuf_drain"])
    assert not may_call(xdp, numbers["bpf_override_return"])
    assert not may_call(xdp, numbers["bpf_skb_load_bytes"])
    assert load(Kind(999))[0] == errno.EINVAL


def test_two_kernels_contradict_each_other_only_where_both_were_measured() -> None:
    """A type that one kernel cannot load says nothing about the other."""
    both = {"XDP": "6.1", "EXT": "6.1"}
    one = program_types.Measured(both | {"LSM": "6.1"}, {}, {"bpf_x": ["XDP", "LSM"]})
    other = program_types.Measured(both, {"LSM": "refused"}, {"bpf_x": ["XDP", "EXT"]})
    assert program_types.contradictions(one, other) == ["bpf_x in EXT"]
