"""What `make bench` measures: userrb beside a C program on plain libbpf, in one run, on one ring.

The C programs are peers: they inherit the ring that this process opened, so both sides work on the
same memory, and they take turns, round by round. Figures are ratios within a round; absolute times
depend on the machine and on what else it does.
"""
