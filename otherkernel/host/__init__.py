"""The host's side of a guest: its emulator, the line to it, a command, and how it ended."""
