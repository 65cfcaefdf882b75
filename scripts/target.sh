# Sourced, not run: building in a target directory that all checkouts of a user share.
#
# Cargo tells what is fresh by names and times of files relative to the workspace. So in a shared
# directory it would take what another checkout built last for this one's, as long as this one's
# files are older. Whoever builds after another checkout therefore makes its own files look new, and
# one checkout at a time builds and runs what it built.

# Runs a command with the target directory to itself.
with_target() {
    mkdir -p "$CARGO_TARGET_DIR"
    (
        exec 9>"$CARGO_TARGET_DIR/checkout.lock"
        flock -n 9 || { note "waiting for another checkout's build or test in $CARGO_TARGET_DIR"; flock 9; }
        if [ "$(cat "$CARGO_TARGET_DIR/checkout" 2>/dev/null)" != "$API_SESSIONS_ROOT" ]; then
            find "$API_SESSIONS_ROOT"/{Cargo.toml,build.rs,src,crates,ngx-tests} \
                \( -name '*.rs' -o -name '*.toml' \) -exec touch -c {} +
            printf '%s\n' "$API_SESSIONS_ROOT" >"$CARGO_TARGET_DIR/checkout"
        fi
        # Not for those that the command leaves running.
        "$@" 9>&-
    )
}
