"""One I/O thread, 16 MiB chunks of logical $MFT, three recycled buffers."""
