"""What stands for a C compiler in a session: what it has once made of unchanged input, it copies.

Run as `python -IS compiler.py REAL FOLDER ARGUMENTS...`. The compiler itself runs whenever
there is any doubt: for arguments that are not plainly "make this file of that one", for output
that was made of anything else, and again whenever it has something to say, so that its words
reach the reader from itself.
"""

import hashlib
import json
import os
import re
import sys
import time

_PLAIN = re.compile(
    r"-(?:c|s|w|g\d?|ggdb\d?|pthread|pipe|static|shared|std=.*|-target=.*|[lmDILOU].+|O"
    r"|W(?![pla],).*|f(?!profile|dump|plugin|time|crash|save|module|callgraph|test).+)"
)
_WITH_VALUE = {"-o", "-D", "-I", "-L", "-U", "-l", "-target", "-include", "-isystem"}
_SOURCES = (".c", ".cc", ".cpp", ".cxx")
_VARIABLES = (
    *("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH"),
    *("GCC_EXEC_PREFIX", "SOURCE_DATE_EPOCH", "LANG", "LC_ALL"),
)
# What makes output depend on more than the files that are read as headers or libraries.
_DEPENDENT = re.compile(rb"__(?:DATE|TIME|TIMESTAMP)__|\.incbin|#\s*embed")


def main(real: str, folder: str, arguments: "list[str]") -> int:
    """Make what a compiler would make; return its status."""
    order = _read(arguments)
    if order is None:
        return _run(real, arguments)
    source, target = order
    started = time.time_ns()
    try:
        text = _bytes(source)
        entry = os.path.join(folder, _key(real, arguments, text))
        if not _DEPENDENT.search(text) and _copied(entry, target):
            return 0
        return _made(real, arguments, source, target, entry, started)
    except OSError:
        return _run(real, arguments)


def _read(arguments: "list[str]") -> "tuple[str, str] | None":
    """Return the source and what it is made into, if that is all that the arguments say."""
    sources, target, value = [], "", ""
    for argument in arguments:
        if value:
            target = argument if value == "-o" else target
            value = ""
        elif argument in _WITH_VALUE:
            value = argument
        elif not argument.startswith("-"):
            sources.append(argument)
        elif not _PLAIN.fullmatch(argument):
            return None
    if value or len(sources) != 1 or not sources[0].endswith(_SOURCES):
        return None
    # A device, a link or a directory is to be treated as the compiler treats it.
    if not target or target == "-" or (os.path.lexists(target) and not os.path.isfile(target)):
        return None
    return sources[0], target


def _key(real: str, arguments: "list[str]", text: bytes) -> str:
    here = os.stat(real)
    # A header that is new here may come before the one that was read.
    headers = sorted(
        os.path.join(where, file)
        for where, _, files in os.walk(".")
        for file in files
        if file.endswith((".h", ".hpp", ".inc"))
    )
    told = [os.path.realpath(real), here.st_size, here.st_mtime_ns, real, arguments, headers]
    told += [os.environ.get(variable) for variable in _VARIABLES]
    return hashlib.sha256(json.dumps(told).encode() + b"\0" + text).hexdigest()


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _state(path: str) -> "list[object]":
    """Return what changes with a file: below the session's directory its content."""
    if not os.path.isabs(path):
        return [hashlib.sha256(_bytes(path)).hexdigest()]
    seen = os.stat(path)
    return [seen.st_size, seen.st_mtime_ns]


def _copied(entry: str, target: str) -> bool:
    try:
        head, _, made = _bytes(entry).partition(b"\n")
        kept = json.loads(head)
        if kept["size"] != len(made):
            return False
        if any(_state(path) != state for path, state in kept["inputs"].items()):
            return False
        mode = 0o777 if kept["runs"] else 0o666
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False  # changed, damaged, or not there
    if os.path.lexists(target):
        os.unlink(target)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(made)
    os.utime(entry)  # it was of use
    return True


def _made(
    real: str, arguments: "list[str]", source: str, target: str, entry: str, started: int
) -> int:
    # A copy needs none of these, and is quicker without.
    import subprocess  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix=".compiler-") as folder:
        said = [os.path.join(folder, each) for each in ("headers", "libraries")]
        asked = ["-MD", "-MF", said[0]]
        if "-c" not in arguments:
            asked.append(f"-Wl,--dependency-file={said[1]}")
        done = subprocess.run(
            [real, *arguments, *asked],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode or done.stdout:
            return _run(real, arguments)
        inputs = {source}
        for path in said[: 1 + ("-c" not in arguments)]:
            inputs |= _inputs(_bytes(path).decode())
    _keep(entry, target, inputs, started)
    return 0


def _inputs(rules: str) -> "set[str]":
    """Read the prerequisites of a makefile's rules."""
    words = rules.replace("\\\n", " ").replace(":\n", ": \n")
    found = set()
    for rule in words.splitlines():
        found |= set(rule.partition(": ")[2].split())
    if "\\" in words or "$$" in words:
        raise OSError("a name with a space or the like")
    return found


def _keep(entry: str, target: str, inputs: "set[str]", started: int) -> None:
    # Objects between compiler and linker are gone.
    inputs = {path for path in inputs if os.path.exists(path)}
    texts = [_bytes(path) for path in inputs if not os.path.isabs(path)]
    if any(map(_DEPENDENT.search, texts)):
        return
    if any(os.stat(path).st_mtime_ns > started for path in inputs):
        return  # changed while it was read
    made = _bytes(target)
    kept = {
        "size": len(made),
        "runs": os.access(target, os.X_OK),
        "inputs": {path: _state(path) for path in sorted(inputs)},
    }
    os.makedirs(os.path.dirname(entry), exist_ok=True)
    part = f"{entry}.{os.getpid()}"
    with open(part, "wb") as file:
        file.write(json.dumps(kept).encode() + b"\n" + made)
    os.replace(part, entry)


def _run(real: str, arguments: "list[str]") -> int:
    # Its own name in full, or gcc looks for its parts beside this stand-in.
    os.execv(real, [real, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
