"""Blocks of pages that were not written for this engine: how far each of them gets."""
