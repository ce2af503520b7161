# syntax=docker/dockerfile:1
# One image for every role; the role is the command: `docker run tripcast tripcast worker`. The roles share all their packages, so images of
# their own would differ in one line and be built, scanned and rolled back five times.
ARG BASE=python:3.11-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
# pip and the build backend stay in this stage; what runs gets neither.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/tripcast
# Faust has no wheel for Linux on arm64: there it is built from its (hashed) source, by a compiler that stays in this stage.
ARG TARGETARCH
# hadolint ignore=DL3008
RUN [ "$TARGETARCH" != arm64 ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev; }
COPY requirements/build.txt requirements/service.txt requirements/
RUN /opt/build/bin/pip install --quiet --require-hashes --only-binary :all: --requirement requirements/build.txt \
    && /opt/build/bin/pip --python /opt/tripcast/bin/python install --quiet --no-compile --require-hashes --only-binary :all: \
       --no-binary "$(if [ "$TARGETARCH" = arm64 ]; then echo faust-streaming; else echo :none:; fi)" --requirement requirements/service.txt
COPY . .
# Tests and headers of libraries are a tenth of the image. Bytecode is made here, since nobody can write it later; by content, so that
# a rebuild of the same files is the same bytes.
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/build/bin/pip --python /opt/tripcast/bin/python install --quiet --no-compile --no-deps /wheels/*.whl
WORKDIR /opt/tripcast/lib/python3.11/site-packages
RUN rm -rf pandas/tests scipy/*/tests scipy/*/*/tests sklearn/tests sklearn/*/tests pyarrow/tests pyarrow/include matplotlib/tests \
    && /opt/tripcast/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash . \
    && install -D -m 0755 /source/deploy/images/healthy.py /opt/tripcast/bin/healthy

FROM ${BASE} AS runtime
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tripcast" \
      org.opencontainers.image.description="Event-driven streaming prediction of taxi trip durations: every role in one image" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A numeric user, so that Kubernetes can see that it is not root. /data is the one folder of its own.
RUN install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=build /opt/tripcast /opt/tripcast
ENV PATH=/opt/tripcast/bin:$PATH \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONFAULTHANDLER=1 PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRIPCAST_DATA=/data \
    TRIPCAST_LOG_FORMAT=json \
    TRIPCAST_WORKER_HOST=0.0.0.0 \
    TRIPCAST_TRAINER_HOST=0.0.0.0 \
    TRIPCAST_CANARY_HOST=0.0.0.0 \
    TRIPCAST_API_HOST=0.0.0.0 \
    TRIPCAST_BOARD_HOST=0.0.0.0 \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
WORKDIR /data
USER 10001:10001
EXPOSE 8000 8050 8081 8082 8083 5000
# Asks the route of whichever role this container runs.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["healthy"]
CMD ["tripcast", "--help"]
