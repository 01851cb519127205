"""This site's own: figures in its sentences, and files for robots and language models."""
