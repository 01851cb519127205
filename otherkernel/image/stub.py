"""Programs that come into the guest when they are first run, after a script in their places."""

# The shell changes some variables, which are none of the program's business.
_SCRIPT = """#!/bin/busybox sh
was="
$(/bin/busybox tr '\\0' '\\n' </proc/$$/environ)"
answer=$(
	folder=$(/bin/busybox mktemp -d /.otherkernel/answers/XXXXXX) &&
	/bin/busybox mkfifo "$folder/answer" || exit
	exec 3<>"$folder/answer"
	echo "{name} ${{folder##*/}}" >/.otherkernel/ask
	read -r answer <&3
	/bin/busybox rm -r "$folder"
	echo "$answer"
)
if [ "$answer" != here ]; then
	echo "$0: the guest could not take it in" >&2
	exit 126
fi
for name in PATH PWD OLDPWD SHLVL; do
	case $was in
	*"
$name="*)
		value=${{was#*"
$name="}}
		export "$name=${{value%%"
"*}}"
		;;
	*) unset "$name" ;;
	esac
done
exec "$0" "$@"
"""


def script(name: str) -> bytes:
    """Return the script that asks for a layer by its name, and then starts what has come."""
    return _SCRIPT.format(name=name).encode()


def hidden(place: str) -> str:
    """Return where the real program waits until its layer is complete."""
    folder, _, name = place.rpartition("/")
    return f"{folder}/.{name}"
