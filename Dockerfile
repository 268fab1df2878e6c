# syntax=docker/dockerfile:1
FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY sql sql
COPY src src
# The caches survive between builds but not in a layer: hence the copy.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bins \
 && mkdir /out \
 && cp target/release/goshift target/release/goshift-submit target/release/goshift-worker \
      target/release/goshift-server /out/

FROM debian:bookworm-slim
# ca-certificates: TLS to databases and brokers uses the system's list
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin goshift \
 && install -d -o goshift -g goshift /app /app/log
COPY --from=build /out/ /usr/local/bin/
COPY etc /app/etc
WORKDIR /app
# By number: Kubernetes' runAsNonRoot can't look a name up.
USER 10001
CMD ["goshift", "--help"]
