"""Replicate's HTTP API on one machine: a durable queue in front of Cog models.

A model is a Cog folder (cog.yaml, predict.py) with a `replicate.toml` that names its owner, name
and version on Replicate. Each model runs in Cog's own runtime, one prediction at a time.
"""
