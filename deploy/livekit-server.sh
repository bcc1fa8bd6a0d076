#!/bin/sh
# A real livekit-server for the tests that speak to one, built from its released source where Go is installed:
#   sh deploy/livekit-server.sh <where to put the binary>
# Takes some minutes, once. Without Go, or when its modules cannot be had, those tests are skipped by name.
set -eu

target=$1
module=github.com/livekit/livekit-server
version=v1.13.5

[ -x "$target" ] && exit 0
command -v livekit-server >/dev/null 2>&1 && exit 0
command -v go >/dev/null 2>&1 || { echo "No Go: the tests against a real LiveKit server will be skipped."; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# `go install` refuses a module with replace directives, so it is built in a copy of its own source.
build() {
    go mod download "$module@$version" \
        && cp -R "$(go env GOMODCACHE)/$module@$version" "$work/source" && chmod -R u+w "$work/source" \
        && cd "$work/source" && go build -buildvcs=false -o "$work/livekit-server" ./cmd/server
}
echo "Building livekit-server $version for the tests; this takes some minutes, once."
if (build) >"$work/log" 2>&1; then
    mv "$work/livekit-server" "$target"
else
    tail -n 5 "$work/log"
    echo "It could not be built; the tests against a real LiveKit server will be skipped."
fi
