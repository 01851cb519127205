"""What stands for sudo where a session has no real one: for root here, and on another kernel.

It keeps from the environment what Debian's sudo keeps, so that a command that would miss the
virtual environment's PATH for a reader misses it here too.
"""

SCRIPT = r"""#!/bin/sh
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
reset=-i
while [ $# -gt 0 ]; do
    case $1 in
    -E | --preserve-env) reset= ;;
    -n | -H | --non-interactive | --set-home) ;;
    --) shift; break ;;
    -*) echo "sudo: the option $1 is not known to this session's sudo" >&2; exit 1 ;;
    *) break ;;
    esac
    shift
done
program=
for word; do
    case $word in
    [A-Za-z_]*=*) ;;
    *) program=$word; break ;;
    esac
done
[ "$program" ] || { echo "usage: sudo [-E] [VAR=value] command [arguments]" >&2; exit 1; }
(PATH=$path && command -v -- "$program") >/dev/null || {
    echo "sudo: $program: command not found" >&2
    exit 1
}
umask 022
exec env $reset ${LANG+"LANG=$LANG"} ${LC_ALL+"LC_ALL=$LC_ALL"} ${TERM+"TERM=$TERM"} \
    ${TZ+"TZ=$TZ"} PROOF_SESSION="$PROOF_SESSION" \
    HOME=/root LOGNAME=root MAIL=/var/mail/root PATH="$path" SHELL=/bin/bash USER=root \
    SUDO_COMMAND="$*" SUDO_GID=0 SUDO_UID=0 SUDO_USER=root "$@"
"""
