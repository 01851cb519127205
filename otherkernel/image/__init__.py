"""What the guest is made of: this machine's own files, in an archive that a kernel unpacks."""
