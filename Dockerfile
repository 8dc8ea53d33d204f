# The server with your Postgres: `docker build -t countersign .`, then README "In containers".
#
# Pinned by version. To pin the very bytes, give the digest that `docker buildx imagetools inspect`
# prints: `--build-arg NODE=node:20.20.2-bookworm-slim@sha256:…`.
ARG NODE=node:20.20.2-bookworm-slim

# Compiles src/ to dist/.
FROM ${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY bench/peers/package.json bench/peers/
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build

# What the server needs at run time. The embedded Postgres is optional and stays out: there is
# `DATABASE_URL` here.
FROM ${NODE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${NODE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Countersign" \
      org.opencontainers.image.description="A self-hosted authorization server: Casbin decisions, governance rules, human approvals, and evidence." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/node"

ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=7400 \
    COUNTERSIGN_DATA_DIR=/var/lib/countersign \
    COUNTERSIGN_POLICY_DIR=/etc/countersign/policies

# Root owns the program, so that the server cannot change it; the data directory alone is its own.
# Nothing lasting is kept there beside a Postgres: a tmpfs will do.
RUN install -d -o node -g node -m 0700 /var/lib/countersign
WORKDIR /app
COPY LICENSE package.json ./
COPY models models
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist

# `node`, as a number: Kubernetes' `runAsNonRoot` cannot tell from a name.
USER 1000:1000
EXPOSE 7400

# Whether the process runs. Whether it should be asked (`/health/ready`) is the load balancer's
# question: one without a fresh policy is not mended by a restart.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# No shell in between, so that SIGTERM reaches the server and it drains. No tini either: it leaves no
# process to be reaped. One in front (`docker run --init`) also ends a server that is told to stop
# before it listens: until then nobody handles the signal, and process 1 is not ended by it.
STOPSIGNAL SIGTERM
# Room for what a few hundred decisions leave behind: a tenth less time goes into collecting garbage.
ENTRYPOINT ["node", "--max-semi-space-size=32", "dist/main.js"]
CMD ["serve"]
