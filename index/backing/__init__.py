"""An entry's bytes as a read-only file: from a mounted path or from the volume's runs."""
