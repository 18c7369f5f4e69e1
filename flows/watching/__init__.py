"""Watching the requests of a server for drift."""
