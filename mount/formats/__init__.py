"""Synthesis: the fresh metadata header of every served format."""
