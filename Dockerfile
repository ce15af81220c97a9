# One image for every role; the command says which: anhu run ingest | alerts | api | jobs | accounts, anhu migrate, anhu doctor.

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/anhu
WORKDIR /build
COPY requirements.lock ./
# Wheels alone: nothing is compiled here, so there is no compiler that could stay behind.
RUN /opt/anhu/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY alerts/ alerts/
COPY api/ api/
COPY bench/ bench/
COPY cli/ cli/
COPY core/ core/
COPY db/ db/
COPY devices/ devices/
COPY ingest/ ingest/
COPY simulators/ simulators/
RUN /opt/anhu/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/anhu/bin/pip install --no-deps --no-index /wheels/*.whl \
 && /opt/anhu/bin/pip uninstall --yes setuptools pip

FROM python:3.12-slim
# The broker's first accounts are written by the user that the Mosquitto image runs as.
RUN groupadd --gid 10001 anhu \
 && useradd --uid 10001 --gid anhu --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin anhu \
 && install --directory --owner 1883 --group 1883 --mode 0750 /var/lib/anhu-broker
COPY --from=build /opt/anhu /opt/anhu
COPY deploy/healthcheck.py deploy/logins.py /opt/anhu/deploy/
COPY deploy/postgres/ /opt/anhu/deploy/postgres/
ENV PATH=/opt/anhu/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ANHU_API_HOST=0.0.0.0 \
    ANHU_API_PORT=8080 \
    ANHU_METRICS_PORT=9100
USER 10001:10001
WORKDIR /opt/anhu
EXPOSE 8080 9100
STOPSIGNAL SIGTERM
# It finds the role of this container by itself.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "/opt/anhu/deploy/healthcheck.py"]
CMD ["anhu", "run", "api"]
