"""After the stream: files spread over several records, and the paths of folders."""
