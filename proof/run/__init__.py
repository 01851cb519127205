"""Examples to outcomes: a session in a shell, and what is not as the page says."""
