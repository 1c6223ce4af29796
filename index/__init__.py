"""The index between the stages: one DuckDB file, its schema, its errors, its counters."""
