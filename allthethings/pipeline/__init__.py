"""The way of an asset from its URL to SEARCHABLE, and what happens to it afterwards."""
