"""What is known only after the stream: extension records, parents, paths."""
