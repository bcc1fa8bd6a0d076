#!/bin/sh
# Debian packages that the tests use: a browser, Redis, PostgreSQL. Without apt-get or the rights to use it nothing is
# installed, and the tests that need what is missing are skipped by name.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium fonts-dejavu-core"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"

[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
    echo "Not installed, so some tests will be skipped:$missing"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# The tests start their own servers; the packages must not start theirs.
policy=/usr/sbin/policy-rc.d
made_policy=0
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made_policy=1
fi
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null \
    || echo "Could not install:$missing; the tests that need them will be skipped."
[ "$made_policy" = 1 ] && rm -f "$policy"
exit 0
