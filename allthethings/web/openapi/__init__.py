"""The HTTP API described for programs, in OpenAPI 3.1: `GET /openapi.json`."""
