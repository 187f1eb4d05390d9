"""Probes and downloads of the URLs that people submit."""
