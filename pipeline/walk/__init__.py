"""Plain directories on any file system: the same tables as a volume scan, by walking."""
