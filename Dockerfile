# syntax=docker/dockerfile:1

# The image holds the static binary, certificate authorities, time zones and nothing else: no shell, no package manager.
#
#   docker build -t weir .
#   docker run -p 127.0.0.1:8080:8080 -v weir-data:/data -v ./weir.yaml:/etc/weir/weir.yaml:ro -e OPENAI_KEY weir
#
# weir.yaml sets `storage: {dir: /data}`. Make the first key with the same options and the command
# `key create --config /etc/weir/weir.yaml --name first`: off loopback, serve does not start without one.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ENV GOCACHE=/go/cache
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/cache \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/weir ./cmd/weir \
 && mkdir /out/data \
 && cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/zoneinfo.zip

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/zoneinfo.zip /usr/share/zoneinfo.zip
COPY --from=build /out/weir /usr/bin/weir
COPY --from=build --chown=65532:65532 /out/data /data
ENV ZONEINFO=/usr/share/zoneinfo.zip PATH=/usr/bin
USER 65532:65532
VOLUME /data
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
ENTRYPOINT ["weir"]
CMD ["serve", "--config", "/etc/weir/weir.yaml", "--listen-api", "0.0.0.0:8080", "--listen-admin", "0.0.0.0:8081"]
