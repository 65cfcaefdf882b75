# Sourced, not run: putting files below $root, remembering them, and taking exactly those away again.
#
# The manifest names every file and every directory that was made, one a line, `file PATH` or
# `dir PATH`, and `conf PATH`, the nginx.conf that was installed for. It is written before the first
# file, so that an installation that broke off can be taken away too.

manifest=/usr/share/api-sessions/manifest

# Runs a command as the owner of what is below $root: root, unless this is a folder of one's own.
placing() { if [ -n "$root" ]; then "$@"; else as_root "$@"; fi; }

listed() { sed -n "s/^$1 //p" "$root$manifest" 2>/dev/null || true; }

# What will be installed: `plan MODE SOURCE DESTINATION`.
planned_modes=() planned_sources=() planned=()
plan() { planned_modes+=("$1") planned_sources+=("$2") planned+=("$3"); }

# Directories above a path, the highest first.
above() {
    local dir=${1%/*}
    [ -n "$dir" ] || return 0
    above "$dir"
    echo "$dir"
}

# A file that is there, but not from here, is somebody's.
refuse_strangers() {
    local path
    for path in "${planned[@]}"; do
        if [ -e "$root$path" ] && ! listed file | grep -qxF -- "$path"; then
            fail "$root$path is there and was not put there by this script: move it away, then install again"
        fi
    done
}

# Installs the plan, and removes what an earlier version installed and this one does not. Further
# paths are of files that will be made otherwise, and stay. Sets `changed`, the number of files that
# are not as they were.
place_plan() {
    local new=$1/manifest i path before
    shift
    before=$(listed file)
    {
        echo "conf $nginx_conf"
        listed dir | sed 's/^/dir /'
        for path in "$manifest" "${planned[@]}" "$@"; do
            above "$path" | while read -r dir; do [ -d "$root$dir" ] || echo "dir $dir"; done
        done
        printf 'file %s\n' "${planned[@]}" "$manifest"
    } | sort -u >"$new"
    changed=0
    place 644 "$new" "$manifest"
    for i in "${!planned[@]}"; do
        place "${planned_modes[i]}" "${planned_sources[i]}" "${planned[i]}"
    done
    while read -r path; do
        if [ -n "$path" ] && ! listed file | grep -qxF -- "$path"; then
            placing rm -f -- "$root$path"
            changed=$((changed + 1))
        fi
    done <<<"$before"
}

# A file that runs or is mapped is replaced, never written into.
place() {
    local to=$root$3
    if [ -f "$to" ] && [ "$(stat -c %a "$to")" = "$1" ] && cmp -s "$2" "$to"; then return 0; fi
    make_directories "$3"
    placing install -m "$1" -- "$2" "$to.new"
    placing mv -f -- "$to.new" "$to"
    changed=$((changed + 1))
}

make_directories() {
    local dir
    above "$1" | while read -r dir; do
        [ -d "$root$dir" ] || placing install -d -m 755 -- "$root$dir"
    done
}

# Takes away what the manifest names, directories only when nothing else is in them.
take_away() {
    local path
    while read -r path; do
        placing rm -f -- "$root$path"
    done < <(listed file | grep -vxF -- "$manifest")
    local dirs
    dirs=$(listed dir | sort -r)
    placing rm -f -- "$root$manifest"
    while read -r path; do
        if [ -n "$path" ] && [ -d "$root$path" ]; then
            placing rmdir --ignore-fail-on-non-empty -- "$root$path"
        fi
    done <<<"$dirs"
}
