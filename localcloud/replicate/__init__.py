"""Replicate's HTTP API on loopback: a durable queue in front of Cog models.

A model is a Cog folder (cog.yaml, predict.py) with a `replicate.toml` that gives it the
address it has on Replicate. Each runs in Cog's own runtime, one prediction at a time.
"""
