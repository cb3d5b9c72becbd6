# The steps of .ci/run, which sources this file, that debug.

debug_up="docker compose -f docker-compose.debug.yml up"

# In a container that "up" has started.
in_debug() { docker compose --progress quiet -f docker-compose.debug.yml exec -T --user dev debug "$@"; }

# A debugger hits breakpoints in the container that the README's command starts; and how long the
# first one takes from a warm image.
debugger() {
  local up from=$EPOCHREALTIME started built
  setsid .ci/run as_printed "$debug_up" &
  up=$!
  # shellcheck disable=SC2064  # the process of now
  trap "docker compose -f docker-compose.debug.yml stop; wait '$up' || true" EXIT
  starts "$up" in_debug true
  started=$(bc <<<"$EPOCHREALTIME - $from")
  in_debug cargo build
  built=$(bc <<<"$EPOCHREALTIME - $from - $started")
  .ci/run as_printed "docker compose -f docker-compose.debug.yml exec --user dev debug cargo test --test debugger"
  in_debug cargo test --quiet --test debugger f5 -- --nocapture >"$work/f5.log"
  printf 'container up %.1f s, our crate built %.1f s, %s\n' "$started" "$built" "$(grep 'F5 to the stop' "$work/f5.log")"
  from=$EPOCHREALTIME
  docker compose -f docker-compose.debug.yml stop
  (($(bc <<<"$EPOCHREALTIME - $from < 3")))
}

# Something in the sidecar of the container in production; options of exec first.
in_sidecar() { docker compose --progress quiet -f docker-compose.debug.yml exec -T "$@"; }

# The image that runs in production is debugged as the README prints it, while it works.
production_is_debugged() {
  local production text other=$work/other id
  prod_has_no_symbols
  as_printed "docker compose -f docker-compose.debug.yml up --detach --force-recreate sidecar"
  as_printed "docker compose -f docker-compose.debug.yml exec sidecar lldb --batch --one-line attach-production --one-line tasks --one-line 'thread backtrace all'" >"$work/trace"
  grep -F 'todo_app::command::start' "$work/trace"
  cargo test --quiet --test debugger production -- --ignored --nocapture | tee "$work/under-load"
  grep '^test result: ok. 1 passed' "$work/under-load"

  # Which request is running, and what does it wait for? Here for somebody else's write to the database.
  python3 -c 'import sqlite3, sys, time; sqlite3.connect(sys.argv[1]).execute("begin immediate"); time.sleep(120)' \
    "$(docker inspect --format '{{(index .Mounts 0).Source}}' "$(docker compose ps --quiet production)")/todo.db" &
  id=$!
  # shellcheck disable=SC2064  # the process of now
  trap "kill $id || true" EXIT
  seconds_until locked >"$work/seconds"
  # They are asked for as long as the database is locked.
  until adds || step_has_ended; do :; done >"$work/waited" &
  seconds_until told "POST path='/items'" "statement='begin immediate'" >"$work/seconds"
  # All of it goes into a core, and is read where there is nothing but that and the image with the symbols.
  as_printed "docker compose -f docker-compose.debug.yml exec sidecar lldb --batch --one-line attach-production --one-line 'save-core /tmp/core'"
  kill "$id"
  trap - EXIT
  as_printed "docker compose -f docker-compose.debug.yml cp sidecar:/tmp/core todo-app.core"
  as_printed "docker run --rm --user \"\$(id -u)\" --volume ./todo-app.core:/core:ro --network none todo-app:symbols lldb --batch --core /core --one-line tasks --one-line 'thread backtrace all'" >"$work/trace"
  rm todo-app.core
  for text in 'todo_app::command::start' "POST path='/items'" "statement='begin immediate'"; do grep -F "$text" "$work/trace"; done

  # However the debugger ends, the same process goes on.
  production=$(process_of_production)
  with_breakpoint
  in_sidecar sidecar pkill -KILL -x lldb
  adds
  with_breakpoint
  docker compose -f docker-compose.debug.yml stop sidecar
  adds
  docker compose -f docker-compose.debug.yml start sidecar
  rm -f "$work/paused"
  { echo attach-production; sleep 20; } | in_sidecar --env PAUSE_LIMIT=2 sidecar lldb >"$work/paused" 2>&1 &
  seconds_until grep 'stands still' "$work/paused" >"$work/seconds"
  echo "it went on after $(seconds_until adds) s"
  grep 'it has stood still for 2 s' "$work/paused"
  adds
  [[ $(process_of_production) == "$production" ]] || { echo "it was started again"; exit 1; }
  # What was not read to its end is not taken for the whole.
  if in_sidecar --env PAUSE_LIMIT=0.1 sidecar lldb --batch --one-line attach-production --one-line 'save-core /tmp/half' \
    >"$work/half" 2>&1; then echo "half a core is taken for a core"; exit 1; fi
  grep -F 'the app went on before' "$work/half"
  adds
  as_printed "docker compose -f docker-compose.debug.yml rm --stop --force sidecar"
  # And has nothing left of it all, not even zombies.
  if pgrep --parent "${production% *}"; then echo "debuggers have left these"; exit 1; fi

  # Without compose.
  remove_container "$name"
  docker run --detach --name "$name" todo-app:prod >"$work/id"
  seconds_until healthy "$name" >"$work/healthy"
  as_printed "docker run --rm --pid \"container:\$(docker ps --quiet --filter ancestor=todo-app:prod)\" --network none --cap-drop ALL --cap-add SYS_PTRACE todo-app:symbols lldb --batch --one-line attach-production --one-line tasks" >"$work/trace"
  grep -F 'sqlx_core::pool' "$work/trace"
  # What is typed reaches the debugger.
  echo 'script print(6 * 7)' | docker run --rm --interactive todo-app:symbols lldb >"$work/trace"
  grep -x 42 "$work/trace"
  remove_container "$name"

  # Symbols of another build are refused: here of one with another build id.
  rm -rf "$other" && mkdir "$other"
  cp "$work/stripped" "$other/todo-app"
  id=$(build_id "$work/stripped")
  perl -0pi -e "s/\Q@{[pack 'H*', '$id']}\E/@{[pack 'H*', 'ab' x 20]}/" "$other/todo-app"
  printf 'FROM todo-app:prod\nCOPY todo-app /app/todo-app\n' >"$other/Dockerfile"
  docker run --detach --name "$name" "$(docker build --quiet "$other")" >"$work/id"
  if docker run --rm --pid "container:$name" --network none --cap-drop ALL --cap-add SYS_PTRACE todo-app:symbols \
    lldb --batch --one-line attach-production >"$work/trace" 2>&1; then echo "the wrong symbols are taken"; exit 1; fi
  grep -F 'these are not the symbols' "$work/trace"
  remove_container "$name"
}

# The production image is the same where there is no target for symbols, and has none in its program ($work/stripped).
prod_has_no_symbols() {
  local id
  id=$(docker build --quiet --target prod .)
  [[ $(sed '/ AS symbols$/,/^CMD /d' Dockerfile | tee "$work/without" | docker build --quiet --target prod --file - .) == "$id" ]]
  if grep -q ' AS symbols' "$work/without"; then exit 1; fi
  id=$(docker create todo-app:prod)
  docker cp "$id:/app/todo-app" "$work/stripped"
  remove_container "$id"
  if readelf --sections --wide "$work/stripped" | grep -E ' \.(debug_info|symtab) '; then echo "prod has symbols"; exit 1; fi
  id=$(build_id "$work/stripped")
  docker run --rm todo-app:symbols test -f "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
}

build_id() { readelf --notes "$1" | sed --quiet 's/.*Build ID: //p'; }
process_of_production() { docker inspect --format '{{.State.Pid}} {{.RestartCount}}' "$(docker compose ps --quiet production)"; }
adds() { [[ $(curl --silent --max-time 5 --output "$work/answer" --write-out '%{http_code}' --data title=Added http://localhost:8000/items) == 303 ]]; }
locked() { ! curl --silent --max-time 0.5 --output "$work/answer" --data title=Waits http://localhost:8000/items; }

# told TEXT...: whether the tasks of the app say this.
told() {
  local text
  in_sidecar sidecar lldb --batch --one-line attach-production --one-line tasks >"$work/tasks"
  for text in "$@"; do grep -F "$text" "$work/tasks" || return 1; done
}

# Leaves a debugger with a breakpoint where items are added, which the app has not reached yet.
with_breakpoint() {
  rm -f "$work/breakpoint"
  { echo attach-production; echo "breakpoint set --file src/pages.rs --line $(sed -n '/let new = NewItem {/=' src/pages.rs)"; echo continue; sleep 20; } |
    in_sidecar sidecar lldb >"$work/breakpoint" 2>&1 &
  seconds_until grep 'resuming' "$work/breakpoint" >"$work/seconds"
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
  # The lifecycle command has built it: what the image has is older than this copy of the source.
  inside test /target/debug/todo-app -nt src/lib.rs
  inside bash -lc 'touch src/lib.rs && cargo build --offline'
  # What VS Code's server and its extensions call.
  inside bash -c 'for tool in bash git ldd ps tar lldb lldb-server lldb-dap-19; do command -v $tool || exit 1; done && test -e /etc/ssl/certs/ca-certificates.crt'
  inside rust-analyzer --version
  language_server_says | inside timeout 60 rust-analyzer >"$work/lsp.log"
  grep -q '"capabilities"' "$work/lsp.log"
  inside lldb --batch --one-line 'breakpoint set --name main' --one-line run /target/debug/todo-app >"$work/lldb.log" 2>&1
  grep -q 'stop reason = breakpoint' "$work/lldb.log"
}
