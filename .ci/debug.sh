# The steps of .ci/run, which sources this file, that debug.

debug_up="docker compose -f docker-compose.debug.yml up"

# In a container that "up" has started.
in_debug() { docker compose --progress quiet -f docker-compose.debug.yml exec -T --user dev debug "$@"; }

# A debugger hits breakpoints in the container that the README's command starts; and how long the
# first one takes from a warm image.
debugger() {
  local up result=0 from=$EPOCHREALTIME started built
  docker compose -f docker-compose.debug.yml down --volumes
  setsid "$0" as_printed "$debug_up" &
  up=$!
  until in_debug true >"$work/until" 2>&1; do
    kill -0 "$up" || { echo "it ended: $debug_up"; return 1; }
    sleep 0.1
  done
  started=$(bc <<<"$EPOCHREALTIME - $from")
  in_debug cargo build
  built=$(bc <<<"$EPOCHREALTIME - $from - $started")
  "$0" as_printed "docker compose -f docker-compose.debug.yml exec --user dev debug cargo test --test debugger" || result=$?
  in_debug cargo test --quiet --test debugger f5 -- --nocapture >"$work/f5.log" || result=$?
  from=$EPOCHREALTIME
  docker compose -f docker-compose.debug.yml stop
  (($(bc <<<"$EPOCHREALTIME - $from < 3")))
  wait "$up" || true
  printf 'container up %.1f s, our crate built %.1f s, %s\n' "$started" "$built" "$(grep 'F5 to the stop' "$work/f5.log")"
  return "$result"
}

# As somebody with this uid would have it, who may use Docker: a fresh clone, and a home.
as_uid() {
  local uid=$1; shift
  HOME=$homes/$uid setpriv --reuid="$uid" --regid="$uid" --groups="$(stat --format %g /var/run/docker.sock)" "$@"
}

# "Reopen in Container", as the devcontainer CLI does it, for people with different uids, and with
# "docker compose up" in between: everything can be written, and nothing is left that is somebody else's.
devcontainer() {
  local homes uid copy cli
  # Where every uid can get to, the CLI too.
  homes=$(mktemp --directory)
  chmod 755 "$homes"
  npm install --silent --prefix "$homes/npm" @devcontainers/cli@0.89.0
  cli=$homes/npm/node_modules/.bin/devcontainer
  for uid in 1000 1234; do
    # The CLI asks for the user's name.
    getent passwd "$uid" >"$work/user" || useradd --no-create-home --uid "$uid" "uid-$uid"
    copy=$homes/$uid/todo-app-$uid
    mkdir "$homes/$uid" && fresh_copy "$copy" && chown --recursive "$uid:$uid" "$homes/$uid"
    cd "$copy"
    as_uid "$uid" "$cli" read-configuration --workspace-folder . | grep -q '"service":"debug"'
    as_uid "$uid" "$cli" build --workspace-folder .
    devcontainer_up
    works_inside
    as_uid "$uid" docker compose -f docker-compose.debug.yml up --detach
    in_debug cargo build --offline
    [[ $(in_debug id --user) == "$uid" ]]
    devcontainer_up
    works_inside
    find . ! -uid "$uid" | tee "$work/not-ours"
    [[ ! -s $work/not-ours ]]
    docker compose -f docker-compose.debug.yml down --volumes
    cd - >"$work/cd"
  done
  rm -rf "$homes"
}

devcontainer_up() {
  as_uid "$uid" "$cli" up --workspace-folder . >"$work/up.json"
  grep -q '"outcome":"success"' "$work/up.json" && grep -q '"remoteUser":"dev"' "$work/up.json"
}

# What an editor tells rust-analyzer, from the first word to the last.
language_server_says() {
  local message
  for message in '"id":1,"method":"initialize","params":{"capabilities":{}}' '"method":"initialized","params":{}' \
    '"id":2,"method":"shutdown"' '"method":"exit"'; do
    message="{\"jsonrpc\":\"2.0\",$message}"
    printf 'Content-Length: %d\r\n\r\n%s' "${#message}" "$message"
  done
}

works_inside() {
  local container
  container=$(grep -o '"containerId":"[^"]*"' "$work/up.json" | cut -d '"' -f 4)
  inside() { as_uid "$uid" "$cli" exec --workspace-folder . --container-id "$container" "$@"; }
  [[ $(inside id --user --name) == dev && $(inside id --user) == "$uid" ]]
  inside bash -c 'test -w . -a -w ~ -a -w /target -a -w "$CARGO_HOME"/registry'
  # The lifecycle command has built it.
  inside test -x /target/debug/todo-app
  inside bash -lc 'touch src/lib.rs && cargo build --offline'
  # What VS Code's server and its extensions call.
  inside bash -c 'for tool in bash git ldd ps tar lldb lldb-server lldb-dap-19; do command -v $tool || exit 1; done && test -e /etc/ssl/certs/ca-certificates.crt'
  inside rust-analyzer --version
  language_server_says | inside timeout 60 rust-analyzer >"$work/lsp.log"
  grep -q '"capabilities"' "$work/lsp.log"
  inside lldb --batch --one-line 'breakpoint set --name main' --one-line run /target/debug/todo-app >"$work/lldb.log" 2>&1
  grep -q 'stop reason = breakpoint' "$work/lldb.log"
}
