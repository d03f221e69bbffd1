# mondegreen with the recogniser that comes along, simulated rooms and PESQ; see docs/docker.md.
#   docker build -t mondegreen .
#   docker build -t mondegreen-cuda --build-arg TORCH=https://pypi.org/simple .

FROM python:3.11-slim-bookworm AS build

# PESQ comes as source alone. Debian keeps no older versions that could be named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

RUN python -m venv /opt/mondegreen
ENV PATH=/opt/mondegreen/bin:$PATH PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY constraints.txt ./

# Where torch comes from. Versions for CPUs alone are marked "+cpu", and pip takes them for later ones.
ARG TORCH=https://download.pytorch.org/whl/cpu
RUN pip install -c constraints.txt --extra-index-url "$TORCH" torch

# pesqc2 says numpy<2, of its build too; built with the one that is used, it works.
RUN pip install -c constraints.txt pesq cython numpy setuptools \
    && pip install -c constraints.txt --no-deps --no-build-isolation pesqc2

ARG EXTRAS=rooms
COPY pyproject.toml README.md LICENSE ./
COPY mondegreen mondegreen
RUN pip install -c constraints.txt ".[$EXTRAS]"

FROM python:3.11-slim-bookworm

COPY --from=build /opt/mondegreen /opt/mondegreen
ENV PATH=/opt/mondegreen/bin:$PATH HOME=/cache
# Whoever the container is run as may write to the cache, which is also everybody's home.
RUN useradd --uid 1000 --no-create-home --home-dir /cache mondegreen
RUN mkdir /cache /work && chmod 1777 /cache /work
USER 1000
WORKDIR /work
ENTRYPOINT ["mondegreen"]
CMD ["--help"]
