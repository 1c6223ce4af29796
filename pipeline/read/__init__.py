"""From a volume to chunks of logical $MFT: where it lies, in which pieces, read by one thread."""
