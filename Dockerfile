# One image, two commands: the web process (below) and the media node (`python manage.py runmedia`).
#
# SDKS names the browser SDKs that its pages shall have, such as "livekit agora": those of the media providers that the
# settings will turn on (docs/operations.md). Without it no Node is fetched, and none is ever in the image itself.
ARG SDKS=""

FROM python:3.11-slim AS base

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --system --uid 10001 --create-home livestream \
    && install -d -o livestream -g livestream /data

WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
# It is needed to load the settings and signs nothing.
ARG BUILD_KEY=for-building-only

FROM base AS sdks
RUN install -d /sdk

FROM base AS fetched-sdks
COPY --from=node:22-slim /usr/local/bin/node /usr/local/bin/node
COPY --from=node:22-slim /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ARG SDKS
RUN SECRET_KEY=$BUILD_KEY DATA_DIR=/tmp/build SDK_DIR=/sdk python manage.py install_sdks $SDKS

FROM ${SDKS:+fetched-}sdks AS chosen

FROM base
COPY --from=chosen /sdk /tmp/build/sdk
# What is collected stays, what is made beside it does not.
RUN SECRET_KEY=$BUILD_KEY DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
    && rm -rf /tmp/build

USER livestream
ENV DATA_DIR=/data
VOLUME /data
EXPOSE 8000/tcp 8189/udp

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
    python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=2)"

CMD ["uvicorn", "livestream.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--ws", "websockets-sansio", "--ws-max-size", "2097152", "--ws-per-message-deflate", "false", \
     "--ws-ping-interval", "20", "--ws-ping-timeout", "10", "--lifespan", "on", \
     "--timeout-graceful-shutdown", "5", "--no-server-header", "--no-access-log"]
