"""What stands for a C compiler in a session: what it has once made of unchanged input, it copies.

Run as `python -IS compiler.py REAL FOLDER HOME ARGUMENTS...`. The compiler itself runs whenever
there is any doubt: for arguments that are not plainly "make this file of that one", for input that
is no file, and again whenever it has something to say, so that its words reach the reader from
itself.
"""

import hashlib
import json
import os
import re
import signal
import sys
import time

_PLAIN = re.compile(
    r"-(?:c|s|w|g\d?|ggdb\d?|pthread|pipe|static|shared|std=.*|-target=.*|[lmDILOU].+|O|W(?![pla],).*"
    r"|f(?:no-.*|PIC|pic|PIE|pie|sanitize=.*|stack-protector.*|wrapv|short-enums|signed-char"
    r"|unsigned-char|common|visibility=.*|omit-frame-pointer|strict-aliasing|lto))"
)
_WITH_VALUE = {"-o", "-D", "-I", "-L", "-U", "-l", "-target", "-include", "-isystem"}
_FOLDERS = ("-I", "-L", "-isystem")
_SYSTEM = ("/usr/include", "/usr/local/include", "/usr/local/lib", "/usr/lib", "/lib")
_SOURCES = (".c", ".cc", ".cpp", ".cxx")
_KEY = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "LD_RUN_PATH", "LANG")
# With these a compiler looks for its parts, or for the time, elsewhere.
_ODD = ("COMPILER_PATH", "GCC_EXEC_PREFIX", "SOURCE_DATE_EPOCH", "CCC_OVERRIDE_OPTIONS")
# What makes output depend on more than the files that are read as headers or libraries.
_DEPENDENT = re.compile(
    rb"__(?:DATE|TIME|TIMESTAMP)__|\.(?:incbin|include)|#\s*embed|__has_include|/(?:dev|proc)/"
)


class Doubt(Exception):
    """It is better to let the compiler do it."""


def main(real: str, folder: str, home: str, arguments: "list[str]") -> int:
    """Make what a compiler would make; return its status."""
    started = time.time_ns()
    try:
        source, target = _read(arguments, home)
        text = _bytes(source)
        if _DEPENDENT.search(text) or _DEPENDENT.search(os.fsencode("\n".join(arguments))):
            raise Doubt
        entry = os.path.join(folder, _key(real, home, arguments, text, target))
        if _copied(entry, target):
            return 0
        return _made(real, arguments, target, entry, started)
    except (OSError, Doubt):
        # Python ignores it, and would hand that on.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        # Its own name in full, or gcc looks for its parts beside this stand-in.
        os.execv(real, [real, *arguments])


def _read(arguments: "list[str]", home: str) -> "tuple[str, str]":
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
            raise Doubt
    if value or len(sources) != 1 or not sources[0].endswith(_SOURCES):
        raise Doubt
    # A device, a link or a directory is to be treated as the compiler treats it.
    if not target or target == "-" or (os.path.lexists(target) and not os.path.isfile(target)):
        raise Doubt
    if os.path.islink(target) or not _inside(os.getcwd(), home) or any(map(os.getenv, _ODD)):
        raise Doubt
    return sources[0], target


def _inside(path: str, home: str) -> bool:
    return os.path.join(os.path.realpath(path), "").startswith(os.path.join(home, ""))


def _key(real: str, home: str, arguments: "list[str]", text: bytes, target: str) -> str:
    # A file that is new may come before the one that was read: in the session's directory, or in
    # one where it is looked for.
    made = os.path.realpath(target)
    names = sorted(
        os.path.relpath(os.path.join(where, file), home)
        for where, _, files in os.walk(home)
        for file in files
        if os.path.join(where, file) != made
    )
    folders = [value for flag, value in _values(arguments) if flag in _FOLDERS]
    looked = [*_SYSTEM, *(f for f in folders if not _inside(f, home))]
    programs = [real, *(_program(name) for name in ("as", "ld"))]
    umask = os.umask(0)
    os.umask(umask)
    told = [arguments, names, umask, os.path.relpath(os.getcwd(), home)]
    told += [[path, os.path.realpath(path), _seen(path)] for path in (*looked, *programs)]
    told += [os.environ.get(variable) for variable in _KEY]
    return hashlib.sha256(json.dumps(told).encode() + b"\0" + text).hexdigest()


def _values(arguments: "list[str]") -> "list[tuple[str, str]]":
    found = []
    for number, argument in enumerate(arguments):
        for flag in _FOLDERS:
            if argument == flag:
                found.append((flag, arguments[number + 1]))
            elif argument.startswith(flag):
                found.append((flag, argument[len(flag) :]))
    return found


def _program(name: str) -> str:
    for folder in os.environ.get("PATH", "").split(":"):
        if os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    return name


def _seen(path: str) -> "list[int]":
    try:
        here = os.stat(path)
    except FileNotFoundError:
        return []
    return [here.st_size, here.st_mtime_ns]


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _state(path: str) -> "list[object]":
    """Return what changes with a file: below the session's directory its content."""
    if not os.path.isabs(path):
        return [hashlib.sha256(_bytes(path)).hexdigest()]
    return [*_seen(path)]


def _copied(entry: str, target: str) -> bool:
    try:
        head, _, made = _bytes(entry).partition(b"\n")
        kept = json.loads(head)
        if kept["size"] != len(made):
            return False
        # In the order in which they were read: up to the first that has changed, they are read now.
        if any(_state(path) != state for path, state in kept["inputs"]):
            return False
        runs, there, here = kept["runs"], os.fsencode(kept["cwd"]), os.fsencode(os.getcwd())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False  # changed, damaged, or not there
    if there in made:
        # Debugging information names the directory, and a debugger looks for sources there.
        if len(there) != len(here):
            return False
        made = made.replace(there, here)
    if os.path.lexists(target):
        os.unlink(target)
    mode = 0o777 if runs else 0o666
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(made)
    os.utime(entry)  # it was of use
    return True


def _made(real: str, arguments: "list[str]", target: str, entry: str, started: int) -> int:
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
            raise Doubt
        inputs = _prerequisites(said[0])
        if "-c" not in arguments:
            inputs += _prerequisites(said[1])
    _keep(entry, target, inputs, started)
    return 0


def _prerequisites(path: str) -> "list[str]":
    """Read the names in a makefile's rules: nothing if any of them is not plain."""
    rules = os.fsdecode(_bytes(path)).replace("\\\n", " ").replace(":\n", ": \n")
    if "\\" in rules or "$" in rules or "#" in rules:
        raise OSError("a name with a space or the like")
    return [name for rule in rules.splitlines() for name in rule.partition(": ")[2].split()]


def _keep(entry: str, target: str, inputs: "list[str]", started: int) -> None:
    # Objects between compiler and linker are gone. What else is not there was read wrongly.
    between = re.compile(r".*/(?:cc\w{6}|[\w.-]+-\w{6})(?:\.ltrans\d*)?(?:\.ltrans)?\.o")
    names = [path for path in dict.fromkeys(inputs) if not between.fullmatch(path)]
    if not all(map(os.path.isfile, names)):
        return
    if any(_DEPENDENT.search(_bytes(path)) for path in names if not os.path.isabs(path)):
        return
    if any(os.stat(path).st_mtime_ns > started for path in names):
        return  # changed while it was read
    made = _bytes(target)
    kept = {
        "size": len(made),
        "cwd": os.getcwd(),
        "runs": os.access(target, os.X_OK),
        "inputs": [[path, _state(path)] for path in names],
    }
    os.makedirs(os.path.dirname(entry), exist_ok=True)
    part = f"{entry}.{os.getpid()}"
    with open(part, "wb") as file:
        file.write(json.dumps(kept).encode() + b"\n" + made)
    os.replace(part, entry)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
