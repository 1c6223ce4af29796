"""NTFS byte grammar: pure functions on bytes, no files, no Arrow, no threads."""
