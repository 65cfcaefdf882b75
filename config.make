# The rule for the library. What is fresh only cargo knows: so it is always asked.

cat << END                                                    >> $NGX_MAKEFILE

.PHONY: wallarm_sessions

wallarm_sessions:
	NGINX_SOURCE_DIR="$PWD" NGINX_BUILD_DIR="\$\$(cd $NGX_OBJS && pwd)" \\
	cargo rustc --release --locked --lib --crate-type staticlib --no-default-features \\
		--manifest-path "$ngx_addon_dir/Cargo.toml" --target-dir "$wallarm_sessions_target"

$wallarm_sessions_lib: wallarm_sessions

$NGX_OBJS/ngx_http_wallarm_sessions_module.so: $wallarm_sessions_lib

END
