"""Replicate: the client, and its predictions as typed values."""
