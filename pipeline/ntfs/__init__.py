"""The byte grammar of NTFS: what the records of a volume mean, and nothing else.

Pure functions over bytes: no files, no threads, no Arrow. Run one record at a time this is the
reference parser (`musefs.pipeline.ntfs.reference`) that the compiled parser must agree with.
"""
