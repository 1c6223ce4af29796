"""The contract between the stages: tables, columns, comments, enumerations, views."""
