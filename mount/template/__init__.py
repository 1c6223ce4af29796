"""The path template language: parse once, render columns."""
