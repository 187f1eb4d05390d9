# docker build -t things .                   the app, for MongoDB, Replicate and Hookdeck
# docker build -t things --target local .    the app with the stand-ins for all three

FROM python:3.13-slim-bookworm AS packages
WORKDIR /srv
COPY pyproject.toml poetry.lock ./
COPY tools/install.py tools/
RUN ["python", "tools/install.py", "main"]

FROM packages AS more-packages
RUN ["python", "tools/install.py", "localcloud"]

FROM python:3.13-slim-bookworm AS base
RUN useradd --create-home --uid 1000 things && install -d -o 1000 /data
WORKDIR /srv
ENV PATH=/srv/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=5000
EXPOSE 5000
HEALTHCHECK --start-period=3m \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/healthz')"]
COPY app.py config.py serve.py create-hookdeck-connections.py create-indexes.py .env-example ./
COPY guardedfetch guardedfetch
COPY guardedserve guardedserve
COPY allthethings allthethings
COPY templates templates
COPY static static
COPY examples examples

FROM base AS local
COPY --from=more-packages /srv/.venv .venv
COPY poetry.lock ./
COPY localcloud localcloud
# Downloaded at the first start: 1.2 GB of weights.
ENV DATA_DIR=/data/var XDG_CACHE_HOME=/data/cache
USER 1000
VOLUME /data
CMD ["python", "-m", "localcloud"]

FROM base AS app
COPY --from=packages /srv/.venv .venv
USER 1000
CMD ["python", "-m", "serve"]
