"""Tracks as they are served now: the rows of `tracks` with their present version.

Both ways of loading, whole libraries and a few tracks, select from this. Where nothing was edited
since publication the view's join finds nothing to do, and the order of tracks stays.
"""

SERVED_TRACKS = (
    "SELECT * EXCLUDE (published_version, published_change_at) "
    "FROM tracks JOIN track_versions USING (track_id)"
)
"""A query that a condition can follow."""
