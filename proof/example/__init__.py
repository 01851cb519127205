"""Blocks to examples: files, commands, sessions, and what their output is compared with."""
