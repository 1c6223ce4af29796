"""Container grammars: what the bytes of an audio file mean. No I/O of its own."""
