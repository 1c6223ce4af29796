"""The served tree as columns: nodes, names, children, inodes."""
