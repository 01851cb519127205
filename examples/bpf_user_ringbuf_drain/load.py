# SPDX-License-Identifier: 0BSD
import sys

import userrb

try:
    userrb.BpfObject("refused.bpf.o")
except userrb.LoadError as refused:
    print(*(line for line in refused.log.splitlines() if "callback return" in line), sep="\n")
    sys.exit(1)
