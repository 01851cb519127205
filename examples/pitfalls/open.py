# SPDX-License-Identifier: 0BSD
import os

import userrb

for fd in (99, os.open("/dev/null", os.O_RDONLY)):
    try:
        userrb.UserRingBuffer(fd)
    except userrb.BpfError as error:
        print(f"{type(error).__name__}: {error}")
