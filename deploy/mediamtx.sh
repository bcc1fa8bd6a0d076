#!/bin/sh
# A real MediaMTX, a WHIP, WHEP and HLS server that is not ours, for the tests that go through one. Built from its
# released source where Go is installed:
#   sh deploy/mediamtx.sh <where to put the binary>
# Takes a minute or two, once. Without Go, or when its modules cannot be had, those tests are skipped by name.
set -eu

target=$1
module=github.com/bluenviron/mediamtx
version=v1.12.3

[ -x "$target" ] && exit 0
command -v mediamtx >/dev/null 2>&1 && exit 0
command -v go >/dev/null 2>&1 || { echo "No Go: the tests against a real MediaMTX will be skipped."; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Two files that it embeds are made when it is released: the player of its own page, which nobody opens here, and its
# version. It has replace directives, too, so it is built in a copy of its source.
build() {
    go mod download "$module@$version" \
        && cp -R "$(go env GOMODCACHE)/$module@$version" "$work/source" && chmod -R u+w "$work/source" \
        && cd "$work/source" && : >internal/servers/hls/hls.min.js && echo "$version" >internal/core/VERSION \
        && go build -buildvcs=false -o "$work/mediamtx" .
}
echo "Building MediaMTX $version for the tests; this takes a minute or two, once."
if (build) >"$work/log" 2>&1; then
    # Beside the target first: from another file system a move would not be atomic.
    mv "$work/mediamtx" "$target.$$" && mv "$target.$$" "$target"
else
    tail -n 5 "$work/log"
    echo "It could not be built; the tests against a real MediaMTX will be skipped."
fi
