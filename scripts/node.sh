# Sourced, not run: a Node.js that is new enough for the web console.

# Runs a command with a Node.js that is new enough for the console, from the cache where Debian's is not.
with_node() {
    local have
    have=$(node --version 2>/dev/null | tr -d v)
    if [ "$(printf '%s\n' "$node_needed" "${have:-0}" | sort -V | head -n 1)" != "$node_needed" ]; then
        fetch_node || return
        PATH=$node_home/bin:$PATH "$@"
    else
        "$@"
    fi
}
fetch_node() {
    [ -x "$node_home/bin/node" ] && return 0
    local new=$node_home.new
    rm -rf "$new" && mkdir -p "$new"
    (
        cd "$new"
        npm pack --silent "$node_package" >/dev/null || { echo "the npm package $node_package could not be fetched" >&2; exit 1; }
        echo "$node_hash  $(ls ./*.tgz)" | sha256sum --check --quiet >&2 || exit 1
        tar -xzf ./*.tgz --strip-components=1 && rm -f ./*.tgz
    ) && mv "$new" "$node_home"
}
