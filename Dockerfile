# One file for every container: `docker build --target dev|test|debug|symbols|proxy|prod .` (without: prod).
#
#   toolchain ─┬─ dependencies ─┬─ dev    reloads on every edit       (alias: development)
#              │                └─ services ─┬─ test   unit, integration and browser tests
#              │                             └─ debug  an editor and a debugger at home
#              ├─ release ─ root ─┬─ prod      what ships             (alias: production)
#              │                  ├─ symbols   a debugger beside a prod that runs
#              └─ crates ─────────┴─ sbom      what prod is made of
#   proxy                                 spreads requests over copies of prod

# For every stage that compiles: the compiler, and a user, since nothing here needs root.
FROM rust:1.95-slim-trixie AS toolchain
# The source is mounted here later, so a debugger finds it under the path it was compiled at;
# /target is outside of it, so that the mount does not hide what is already compiled.
RUN useradd --create-home --shell /bin/bash --uid 1000 dev \
 && install --directory --owner=dev --group=dev /workspaces/todo-app /target /data \
 # A login shell starts with Debian's own PATH, which lacks cargo.
 && echo "PATH=$CARGO_HOME/bin:\$PATH" >/etc/profile.d/cargo.sh
ENV CARGO_TARGET_DIR=/target
WORKDIR /workspaces/todo-app
USER dev
# With nothing but the manifests (and empty files where Cargo insists on some) only the
# dependencies are compiled below: these layers stay cached until Cargo.toml or Cargo.lock change.
COPY --chown=dev:dev Cargo.toml Cargo.lock ./
RUN mkdir --parents benches src tests/debugger \
 && touch src/lib.rs \
 && echo 'fn main() {}' | tee src/main.rs tests/debugger/main.rs benches/startup.rs >benches/stores.rs \
 && cargo fetch --locked \
 # All crates are here now, writable by everyone: dev may get another uid when a container starts.
 && find "$CARGO_HOME" -user dev -exec chmod a+w {} +

# For dev, test and debug, which share it: the dependencies, as the debug profile compiles them.
# What came of the empty files goes again: Cargo would take it for newer than the real source.
FROM toolchain AS dependencies
RUN cargo build --frozen \
 && cargo test --frozen --no-run \
 && cargo clean --frozen --package todo-app
ENTRYPOINT ["as-source-owner"]

# For writing code: mount the source over /workspaces/todo-app; the app follows every edit.
FROM dependencies AS dev
COPY docker /usr/local/bin
COPY --chown=dev:dev . .
RUN cargo build
# All addresses of the container; who reaches them is decided where its port is published.
ENV ROCKET_ADDRESS=0.0.0.0 DATABASE_URL=sqlite:/data/todo.db RUST_BACKTRACE=1
EXPOSE 8000
VOLUME /data
# The first build may take minutes, where dependencies have changed since the image was built.
HEALTHCHECK --start-period=15m --start-interval=1s CMD ["/target/debug/todo-app", "health"]
CMD ["serve"]

# The exercise's name for it.
FROM dev AS development

# For test and debug, which share it: a browser with its driver, of one version, a database server, a clock.
FROM dependencies AS services
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends chromium chromium-driver faketime postgresql \
 && rm -rf /var/lib/apt/lists/*
USER dev

# For running tests: everything they need is inside, so they need neither network nor root.
FROM services AS test
COPY docker /usr/local/bin
COPY --chown=dev:dev . .
RUN cargo test --no-run
ENTRYPOINT ["as-source-owner", "run-tests"]

# For an editor to attach to and debug in: it idles until one does.
FROM services AS debug
USER root
# lldb has lldb-server and lldb-dap too; git and procps are what editors call.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git lldb procps \
 && rm -rf /var/lib/apt/lists/* \
 && rustup component add clippy rust-analyzer rust-src rustfmt
USER dev
# rust-analyzer has a folder of its own for what it compiles (.vscode/settings.json), so that it and
# cargo never wait for each other; its dependencies are compiled here, too.
RUN cargo clippy --frozen --all-targets --target-dir /target/rust-analyzer \
 && cargo clean --frozen --package todo-app --target-dir /target/rust-analyzer \
 # compose mounts a volume here, which takes over the owner.
 && mkdir --parents /home/dev/.vscode-server/extensions
COPY docker /usr/local/bin
ENV DATABASE_URL=sqlite:/data/todo.db RUST_BACKTRACE=1
EXPOSE 8000
VOLUME /data
# For editors that attach to a container they have not started, and so read no devcontainer.json:
# what it says there, again (a test compares the two).
LABEL devcontainer.metadata='[{ \
  "remoteUser": "dev", \
  "forwardPorts": [8000], \
  "portsAttributes": { "8000": { "label": "todo-app", "onAutoForward": "notify" } }, \
  "customizations": { "vscode": { \
    "extensions": ["vadimcn.vscode-lldb", "rust-lang.rust-analyzer", "tamasfe.even-better-toml"], \
    "settings": { "terminal.integrated.defaultProfile.linux": "bash" } \
  } } \
}]'
# Compiled as it is now: the first F5 compiles only what was edited since.
COPY --chown=dev:dev . .
RUN cargo build
CMD ["tail", "-f", "/dev/null"]

# For prod: the binary, optimised; and apart from it, for symbols, what a debugger needs to know of it,
# named after the build id that both have.
FROM toolchain AS release
# Names of functions as the source has them.
ENV RUSTFLAGS="-C symbol-mangling-version=v0"
RUN cargo build --frozen --release \
 && cargo clean --frozen --release --package todo-app
COPY --chown=dev:dev src src
COPY --chown=dev:dev migrations migrations
RUN cargo build --frozen --release \
 && symbols=/target/symbols/$(readelf --notes /target/release/todo-app | sed --quiet 's|.*Build ID: \(..\)|\1/|p').debug \
 && mkdir --parents "$(dirname "$symbols")" \
 && objcopy --only-keep-debug /target/release/todo-app "$symbols" \
 && strip /target/release/todo-app

# For prod: its root folder, made of the binary, the libraries that it names, CA certificates and time zones.
FROM debian:trixie-slim AS root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/*
COPY --from=release /target/release/todo-app /root-folder/app/todo-app
# ldd says where the libraries are, so no path here names an architecture.
RUN ldd /root-folder/app/todo-app | grep --only-matching '/[^ ]*' | xargs cp --parents --dereference --target-directory=/root-folder \
 && cp --parents --recursive /etc/ssl/certs/ca-certificates.crt /usr/share/zoneinfo /root-folder \
 # For any user: a tmpfs or a volume that is mounted here takes over these rights.
 && install --directory --mode=1777 /root-folder/data

# For a prod that runs: a debugger to be started beside it, with the symbols and the source of that build.
# It has the release of Debian that prod's libraries are from.
FROM debian:trixie-slim AS symbols
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libcap2-bin lldb procps python3-minimal \
 && rm -rf /var/lib/apt/lists/* \
 # The one right that it needs (SYS_PTRACE), for the one program that needs it; so no user has to be root.
 && setcap cap_sys_ptrace+ep /usr/lib/llvm-19/bin/lldb-server \
 && useradd --no-log-init --create-home --shell /bin/bash --uid 10001 debugger \
 # For any user, as prod may run as any.
 && chmod 1777 /home/debugger
COPY --from=toolchain /usr/local/rustup/toolchains/*/lib/rustlib/etc /usr/local/lib/rustlib/etc
COPY symbols/lldbinit /home/debugger/.lldbinit
COPY --from=root /root-folder/app /app
COPY --from=release /target/symbols /usr/lib/debug/.build-id
WORKDIR /workspaces/todo-app
COPY . .
ENV HOME=/home/debugger LLDB_DEBUGSERVER_PATH=/workspaces/todo-app/symbols/debugserver PAUSE_LIMIT=10
# prod's: a process is read by its own user.
USER 10001:10001
LABEL devcontainer.metadata='[{ \
  "remoteUser": "debugger", \
  "customizations": { "vscode": { "extensions": ["vadimcn.vscode-lldb"] } } \
}]'
ENTRYPOINT ["/workspaces/todo-app/symbols/entrypoint"]
CMD ["lldb", "--one-line", "attach-production"]

# For sbom: the app's crates, as a CycloneDX document.
FROM toolchain AS crates
RUN cargo install --quiet --locked --debug --root /home/dev cargo-cyclonedx@0.5.9 \
 && /home/dev/bin/cargo-cyclonedx cyclonedx --format json --spec-version 1.5 --no-build-deps --quiet

# For sbom: to these are added Debian's packages, those of the libraries and the two that are copied.
FROM root AS bill
RUN apt-get update && apt-get install --yes --no-install-recommends jq
COPY --from=crates /workspaces/todo-app/todo-app.cdx.json /tmp
# $crates is jq's.
# hadolint ignore=SC2016
RUN ldd /root-folder/app/todo-app | grep --only-matching '/[^ ]*' | xargs realpath | xargs dpkg --search | cut --delimiter=: --fields=1 | sort --unique \
 | xargs dpkg-query --show --showformat '["${Package}", "${Version}", "${Architecture}"]\n' ca-certificates tzdata \
 | jq --slurp --slurpfile crates /tmp/todo-app.cdx.json '$crates[0] * {components: ($crates[0].components + map({ \
     type: "library", name: .[0], version: .[1], purl: "pkg:deb/debian/\(.[0])@\(.[1] | @uri)?arch=\(.[2])&distro=trixie"}))}' >/todo-app.cdx.json

# The software bill of materials of prod, a file: docker build --target sbom --output . .
FROM scratch AS sbom
COPY --from=bill /todo-app.cdx.json /

# For several copies of prod: what spreads requests over them.
FROM debian:trixie-slim AS proxy
RUN apt-get update \
 && apt-get install --yes --no-install-recommends haproxy \
 && rm -rf /var/lib/apt/lists/*
COPY proxy/haproxy.cfg /etc/haproxy/haproxy.cfg
USER haproxy
EXPOSE 8000
# Finishes what runs; SIGTERM would cut it.
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg"]

# What ships: no shell, no package manager, no compiler; a user that owns nothing and writes to /data.
FROM scratch AS prod
COPY --from=root /root-folder /
COPY templates /app/templates
COPY static /app/static
ENV ROCKET_ADDRESS=0.0.0.0 DATABASE_URL=sqlite:/data/todo.db
USER 10001:10001
WORKDIR /app
EXPOSE 8000
VOLUME /data
# Ready within half a second of its start, and Docker asks four times a second until it is.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --start-interval=0.25s CMD ["/app/todo-app", "health"]
LABEL org.opencontainers.image.title="todo-app" \
      org.opencontainers.image.description="A to-do list in a browser" \
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["/app/todo-app"]

# The exercise's name for it; as the last stage it is also what is built without a target.
FROM prod AS production
