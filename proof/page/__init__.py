"""Markdown to blocks: a page as rendered, and where each line of it was written."""
