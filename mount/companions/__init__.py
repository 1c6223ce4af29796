"""What stands in the tree beside tracks: covers, lyrics, sidecars, playlists.

Planning only: which leaves there are, at which paths, standing for what. Whoever serves them reads
their bytes: a cover from the art table, lyrics from the tags, a sidecar from the volume.
"""
