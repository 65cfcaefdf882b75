# Sourced, not run: what an installed nginx says about itself, and whether a module loads into it.

module_file=ngx_http_wallarm_sessions_module.so

# Asks `nginx -V`. Sets nginx_version, nginx_prefix, nginx_conf and nginx_modules, or ends with one sentence on
# what can be built for: a module loads only into the very version it was built for, and fits another
# build of it only by --with-compat.
ask_nginx() {
    local said arguments can
    can="this can build for nginx $nginx_debian_version (Debian 12's) and $nginx_crate_version, with --with-compat"
    said=$("$1" -V 2>&1) || fail "$1 -V does not work: $can"
    nginx_version=$(sed -n 's/^nginx version: nginx\/\([0-9.]*\).*/\1/p' <<<"$said")
    arguments=$(sed -n 's/^configure arguments: //p' <<<"$said")
    [ -n "$nginx_version" ] || fail "$1 does not say that it is nginx, but \"$(head -n 1 <<<"$said")\": $can"
    [[ " ${nginx_versions[*]} " == *" $nginx_version "* ]] || fail "$1 is nginx $nginx_version: $can"
    [[ " $arguments " == *" --with-compat "* ]] || fail "$1 is built without --with-compat: $can"
    nginx_prefix=$(configured prefix "$arguments" /usr/local/nginx)
    nginx_conf=$(configured conf-path "$arguments" "$nginx_prefix/conf/nginx.conf")
    nginx_modules=$(configured modules-path "$arguments" "$nginx_prefix/modules")
    [[ $nginx_conf == /* ]] || nginx_conf=$nginx_prefix/$nginx_conf
    [[ $nginx_modules == /* ]] || nginx_modules=$nginx_prefix/$nginx_modules
}

# The value of --NAME=VALUE among configure's arguments, or what configure takes without it.
configured() {
    local value
    value=$(grep -o -- "--$1=[^ ']*" <<<"$2" | tail -n 1 | cut -d= -f2-) || true
    echo "${value:-$3}"
}

# Lets the nginx load a module, without sites, in a folder of its own: the last word on its signature.
try_module() {
    local nginx=$1 module=$2 folder=$3
    printf 'load_module "%s";\npid "%s/nginx.pid";\nevents { }\n' "$module" "$folder" >"$folder/nginx.conf"
    "$nginx" -t -q -p "$folder" -c "$folder/nginx.conf" -e "$folder/error.log" >"$folder/said" 2>&1 ||
        fail "$nginx does not load the module that was built for nginx $nginx_version: $(grep -m 1 -F '[emerg]' "$folder/said" || cat "$folder/said")"
}
