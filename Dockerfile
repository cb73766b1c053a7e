FROM python:3.11-slim
LABEL org.opencontainers.image.licenses=Apache-2.0

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app
WORKDIR /app

COPY requirements-runtime.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-runtime.lock

COPY LICENSE pyproject.toml ./
COPY messages messages
COPY db db
COPY outbox outbox
COPY workers workers
COPY scripts scripts
RUN python -m compileall -q messages db outbox workers scripts

RUN useradd --system --uid 10001 --no-create-home oms
# What people type in a shell of the container.
RUN printf '#!/bin/sh\nexec python -m scripts.cli "$@"\n' > /usr/local/bin/oms && chmod 755 /usr/local/bin/oms

USER oms

# Dead letters name it; without it they name the version of pyproject.toml.
ARG OMS_VERSION=
ENV OMS_VERSION=$OMS_VERSION

# `docker run oms worker`, `docker run oms relay`, `docker run oms audit`, ...
ENTRYPOINT ["python", "-m", "scripts.cli"]
CMD ["--help"]
EXPOSE 9100
STOPSIGNAL SIGTERM
