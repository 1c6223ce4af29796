"""The scan: any volume to Arrow batches to an index."""
