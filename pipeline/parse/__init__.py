"""The compiled record kernel and the Arrow batches it fills."""
