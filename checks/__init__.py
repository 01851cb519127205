"""Checks of the built site: what a reader would stumble over."""
