"""The served tags: three-way merge, edits, undo, and the musefs-tag command."""
