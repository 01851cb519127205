"""The one exception of this package, for what a user can put right."""

from __future__ import annotations


class FactError(Exception):
    """A fact cannot be had from its source, or a page asks for it wrongly."""
