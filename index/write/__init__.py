"""Writing an index: one thread owns the store, rounds go through a bounded queue, D4 publishes."""

from musefs.index.write.rounds import BatchReport
from musefs.index.write.writer import IndexWriter, PublishReport, WriterStatistics

__all__ = ["BatchReport", "IndexWriter", "PublishReport", "WriterStatistics"]
