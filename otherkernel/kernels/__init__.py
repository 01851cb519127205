"""Which kernels there are, where they come from, and how one becomes a file that boots."""
