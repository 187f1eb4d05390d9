"""An MCP server over the app's HTTP API: models search, read and submit things.

It is a client like any other: it imports nothing of the app, and the app nothing of it.
"""
