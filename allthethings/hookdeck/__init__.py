"""Hookdeck: connections, signatures, and the records of its API as typed values."""
