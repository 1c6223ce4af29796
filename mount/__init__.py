"""The library: a read-only file system rendered from an index."""
