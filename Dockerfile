# The server in a small image: docker build -t documines-auth . (docs/operations.md says how to run it).
# Both stages are of the same Debian, so that the binary finds the C library that it was linked with.
ARG DEBIAN=trixie

FROM docker.io/library/rust:1.95-slim-${DEBIAN} AS build
WORKDIR /src
COPY . .
# What cargo downloads and compiles is kept between builds; the image gets the binary alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --bin documines-auth \
    && install -m 755 target/dist/documines-auth /documines-auth

FROM docker.io/library/debian:${DEBIAN}-slim
# By number, so that a platform can see that it is not root. A volume takes owner and mode from the folder below it.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin documines \
    && install -d -o documines -g documines -m 700 /data
COPY --from=build /documines-auth /usr/local/bin/documines-auth
USER 10001:10001
ENV DOCUMINES_LISTEN=0.0.0.0:8020 DOCUMINES_DATA_DIR=/data DOCUMINES_LOG_FORMAT=json
VOLUME /data
EXPOSE 8020
# By the shell's own means, for the image has no curl. Not /readyz: a node whose database is away for a moment is well
# again by itself, and restarting it would only make it later.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8020 && printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["documines-auth"]
