"""The one I/O worker, crash-safe publication, locks and leftovers."""
