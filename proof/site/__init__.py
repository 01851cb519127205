"""Records to pages: the extension of Python-Markdown that shows readers what was proved.

A site names it in its `markdown_extensions`: `- proof.site`. It executes nothing, and fails the
build where a record is missing.
"""

from __future__ import annotations

from proof.site.extension import ProofExtension


def makeExtension(**settings: object) -> ProofExtension:  # noqa: N802 (the library's name)
    """Make the extension, as Python-Markdown asks a module to."""
    return ProofExtension(**settings)
