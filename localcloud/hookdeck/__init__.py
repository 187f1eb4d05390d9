"""A stand-in for Hookdeck on one machine.

It verifies what providers send to a source's URL, keeps it, delivers it to the
destinations with the retries that each connection asks for, and answers the part of the
admin API (version 2025-07-01) that the project uses.
"""
