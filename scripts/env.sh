# Sourced, not run: where the things live that a build needs but git does not hold.
#
# Everything is under one cache folder that all checkouts of one user share, so that a fresh clone
# starts warm. .cargo/config.toml names the same things through the links in build/, for plain
# `cargo` calls and editors.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export API_SESSIONS_ROOT=$here
export API_SESSIONS_CACHE=${API_SESSIONS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/api-sessions}

nginx_debian_version=1.22.1
duckdb_version=1.5.6
duckdb_package=@duckdb/node-bindings-linux-x64@1.5.6-r.1

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$API_SESSIONS_CACHE/target}
export NGINX_SOURCE_DIR=${NGINX_SOURCE_DIR:-$API_SESSIONS_CACHE/nginx-$nginx_debian_version/src}
export NGINX_BUILD_DIR=${NGINX_BUILD_DIR:-$NGINX_SOURCE_DIR/objs}
export DUCKDB_LIB_DIR=${DUCKDB_LIB_DIR:-$API_SESSIONS_CACHE/duckdb-$duckdb_version}

# What the demo and the tests start. `scripts/build` puts fresh copies there.
export API_SESSIONS_NGINX=${API_SESSIONS_NGINX:-$API_SESSIONS_CACHE/nginx-$nginx_debian_version/root/usr/sbin/nginx}
export API_SESSIONS_BIN=${API_SESSIONS_BIN:-$here/build/bin}
