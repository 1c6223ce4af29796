"""Reading an index: the typed query face and the loader of the mount."""
