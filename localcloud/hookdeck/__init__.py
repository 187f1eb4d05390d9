"""A stand-in for Hookdeck on one machine.

It verifies and stores the requests that providers send to a source's URL, delivers them to the
destinations with the retries that each connection's rules ask for, and serves a part of the admin
API in version 2025-07-01.
"""
