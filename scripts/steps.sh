# Sourced, not run: how the scripts say what they do and how much is left.

# Steps of a script that calls another one are counted by the outermost: it sets STEPS_DONE and
# STEPS_TOTAL, and they are inherited.
steps_total() { STEPS_TOTAL=${STEPS_TOTAL:-$1}; STEPS_DONE=${STEPS_DONE:-0}; export STEPS_TOTAL STEPS_DONE; }

step() {
    STEPS_DONE=$((STEPS_DONE + 1))
    printf '[%d/%d] %s\n' "$STEPS_DONE" "$STEPS_TOTAL" "$*" >&2
}

note() { printf '      %s\n' "$*" >&2; }

fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        fail "this step needs root and there is no sudo: run as root: $*"
    fi
}

# How many steps a script of this folder has, and running one as a part of the calling script.
steps_of() { sed -n 's/^steps_total \([0-9][0-9]*\)$/\1/p' "$API_SESSIONS_ROOT/scripts/$1"; }
run_steps() {
    "$API_SESSIONS_ROOT/scripts/$1" "${@:2}" || return
    STEPS_DONE=$((STEPS_DONE + $(steps_of "$1")))
}
