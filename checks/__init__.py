"""Checks of the built site for what would trip up a reader."""
