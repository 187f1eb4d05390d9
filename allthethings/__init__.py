"""Turn things at URLs into text and vectors, and find them by meaning."""
