"""From chunks to Arrow batches: the compiled record parser, its columns, the workers."""
