# One image, two commands: the web process (below) and the media node (`python manage.py runmedia`).
FROM python:3.11-slim

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

# The key is needed to load the settings and signs nothing; what is made beside it does not stay in the image.
RUN SECRET_KEY=for-collectstatic-only DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
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
