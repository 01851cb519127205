"""Facts that pages state, each taken from its source and written between a page's marker comments.

source (ELF, header, kernel) -> text -> region of a page
"""
