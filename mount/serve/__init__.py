"""Handles, read-ahead, refresh and telemetry: the core under every transport."""
