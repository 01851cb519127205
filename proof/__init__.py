"""Prove the examples of a MkDocs site by repeating each on a real kernel, as a reader would.

page -> examples -> session on a kernel -> comparison -> record -> badge on the page
"""
