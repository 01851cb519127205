"""Where commands with `sudo` run: what sudo means, this machine's kernel, and any other one."""
