//! Facts that stand in two files and must agree.

use std::collections::BTreeSet;
use std::path::Path;

use rocket::serde::json::{Value, json};

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// A file of JSON with comments, as VS Code reads it.
fn json_file(path: &str) -> Value {
    jsonc_parser::parse_to_serde_value(&file(path), &jsonc_parser::ParseOptions::default()).expect(path)
}

/// What follows `before` in a file, up to white space, a comma or a bracket: everywhere that it does.
fn values(path: &str, before: &str) -> BTreeSet<String> {
    let text = file(path);
    let ends = |c: char| c.is_whitespace() || ",]}\"".contains(c);
    text.split(before).skip(1).filter_map(|rest| rest.split(ends).next()).map(str::to_owned).collect()
}

fn set<const N: usize>(values: [&str; N]) -> BTreeSet<String> {
    values.map(str::to_owned).into()
}

#[test]
fn the_rust_version_is_the_same_in_the_manifest_and_the_image() {
    let [version] = &Vec::from_iter(values("Cargo.toml", "rust-version = \""))[..] else { panic!("one version") };
    assert_eq!(values("Dockerfile", "FROM rust:"), set([&format!("{version}-slim-trixie")]));
    assert_eq!(values("Dockerfile", "FROM debian:"), set(["trixie-slim"]));
}

#[test]
fn the_port_is_the_same_everywhere() {
    let port = rocket::Config::default().port.to_string();
    assert_eq!(values("Dockerfile", "EXPOSE "), set([&port]));
    assert_eq!(values("docker-compose.yml", "TODO_PORT:-"), set([&port]));
    assert_eq!(values("docker-compose.yml", &format!("TODO_PORT:-{port}}}:")), set([&port]));
    assert_eq!(values(".env.template", "ROCKET_PORT="), set([&port]));
    assert_eq!(json_file(".devcontainer/devcontainer.json")["forwardPorts"], json!([rocket::Config::default().port]));
}

#[test]
fn the_user_and_the_folders_are_the_same_everywhere() {
    let devcontainer = json_file(".devcontainer/devcontainer.json");
    assert!(values("Dockerfile", "USER ").contains("dev"));
    assert_eq!(devcontainer["remoteUser"], "dev");
    assert!(file("docker/as-source-owner").contains("setpriv --reuid=dev --regid=dev"));

    // The user of prod reads its process, so it is that of the debugger beside it.
    assert_eq!(values("Dockerfile", "USER "), set(["10001:10001", "dev", "haproxy", "root"]));
    assert!(values("Dockerfile", "--uid ").contains("10001"));

    assert_eq!(values("Dockerfile", "WORKDIR "), set(["/app", "/workspaces/todo-app"]));
    assert_eq!(devcontainer["workspaceFolder"], "/workspaces/todo-app");
    assert_eq!(values("docker-compose.yml", "source: ., target: "), set(["/workspaces/todo-app"]));
    assert_eq!(values("docker-compose.debug.yml", "- .:"), set(["/workspaces/todo-app"]));

    assert_eq!(values("Dockerfile", "CARGO_TARGET_DIR="), set(["/target"]));
    assert_eq!(values(".vscode/launch.json", "\"program\": \""), set(["/app/todo-app", "/target/debug/todo-app"]));

    // Where the guide has a breakpoint set, an item was made.
    let line = file("src/pages.rs").lines().position(|line| line.contains("let new = NewItem {")).expect("the line");
    assert_eq!(values("docs/debug-production.md", "--line "), set([&format!("{}`", line + 2)]));

    // The path of what runs in production, and of the debugger's commands.
    assert_eq!(values("Dockerfile", "ENTRYPOINT [\"/app/"), set(["todo-app"]));
    assert_eq!(values("symbols/production.py", "PROGRAM = \""), set(["/app/todo-app"]));
    assert_eq!(values("symbols/lldbinit", "/workspaces/todo-app/"), set(["symbols/production.py"]));
}

/// An editor that attaches to a container which it has not started reads only the image's label.
#[test]
fn the_label_of_the_debug_image_says_what_devcontainer_json_says() {
    let dockerfile = file("Dockerfile");
    let (_, label) = dockerfile.split_once("LABEL devcontainer.metadata='[").expect("a label");
    let label = label.split_once("]'").expect("its end").0.replace("\\\n", "");
    let label: Value = rocket::serde::json::from_str(&label).expect("an array of one object");
    let mut devcontainer = json_file(".devcontainer/devcontainer.json");
    // What only who starts the container needs.
    for key in ["name", "dockerComposeFile", "service", "workspaceFolder", "updateContentCommand", "hostRequirements"] {
        assert!(devcontainer.as_object_mut().expect("an object").remove(key).is_some(), "{key}");
    }
    assert_eq!(label, devcontainer);
}

/// The attributes that VS Code and CodeLLDB 1.12 know: it underlines others, and does not heed them.
/// <https://github.com/vadimcn/codelldb/blob/v1.12.2/MANUAL.md>
#[test]
fn launch_json_has_only_attributes_that_codelldb_knows() {
    let of_vs_code =
        "name type request preLaunchTask postDebugTask presentation internalConsoleOptions serverReadyAction";
    let of_both = "sourceMap expressions initCommands preRunCommands postRunCommands gracefulShutdown \
        preTerminateCommands exitCommands sourceLanguages reverseDebugging relativePathBase breakpointMode \
        targetCreateCommands processCreateCommands program stopOnEntry";
    let launch_json = json_file(".vscode/launch.json");
    for configuration in launch_json["configurations"].as_array().expect("configurations") {
        let (of_one, required) = match configuration["request"].as_str().expect("a request") {
            "launch" => ("noDebug args cwd env envFile stdio terminal console cargo", vec!["program", "cargo"]),
            "attach" => ("pid waitFor", vec!["program", "pid"]),
            other => panic!("no request: {other}"),
        };
        let known: Vec<_> = [of_vs_code, of_both, of_one].iter().flat_map(|keys| keys.split_whitespace()).collect();
        let attributes = configuration.as_object().expect("an object");
        let unknown: Vec<_> = attributes.keys().filter(|key| !known.contains(&key.as_str())).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", configuration["name"]);
        assert!(required.iter().any(|key| attributes.contains_key(*key)), "{}", configuration["name"]);
        assert_eq!(configuration["type"], "lldb");
        if configuration["name"] == "Debug todo-app" {
            assert_eq!(configuration["gracefulShutdown"], "SIGTERM", "Stop kills the app otherwise");
        }
        // Or text is shown as pointers. The sidecar has no Rust to take them from.
        let formatters = [&configuration["sourceLanguages"][0], &configuration["initCommands"][0]];
        let known = [&json!("rust"), &json!("command source ${workspaceFolder}/symbols/lldbinit")];
        assert!(formatters.iter().any(|loaded| known.contains(loaded)), "{}", configuration["name"]);
        for key in configuration["cargo"].as_object().into_iter().flat_map(|cargo| cargo.keys()) {
            assert!(["args", "env", "cwd", "problemMatcher", "filter"].contains(&key.as_str()), "cargo.{key}");
        }
    }
}

/// What one file of `.vscode` names and another one has.
#[test]
fn launch_json_names_tasks_inputs_and_configurations_that_there_are() {
    let (launch, tasks) = (json_file(".vscode/launch.json"), json_file(".vscode/tasks.json"));
    let all = |list: &Value, key: &str| -> BTreeSet<String> {
        list.as_array().expect(key).iter().filter_map(|entry| entry[key].as_str()).map(str::to_owned).collect()
    };
    let labels = all(&tasks["tasks"], "label");
    let named = |list: &Value| all(list, "preLaunchTask");
    assert!(named(&launch["configurations"]).is_subset(&labels));
    assert!(named(&launch["compounds"]).is_subset(&labels));
    let configurations = all(&launch["configurations"], "name");
    for compound in launch["compounds"].as_array().expect("compounds") {
        for name in compound["configurations"].as_array().expect("names") {
            assert!(configurations.contains(name.as_str().expect("a name")), "{name}");
        }
    }
    assert_eq!(values(".vscode/launch.json", "${input:"), all(&launch["inputs"], "id"));
    assert_eq!(
        json_file(".vscode/extensions.json")["recommendations"],
        json_file(".devcontainer/devcontainer.json")["customizations"]["vscode"]["extensions"]
    );
}

/// The properties of the specification that a container of compose may have.
/// <https://github.com/devcontainers/spec/blob/main/schemas/devContainer.base.schema.json>
#[test]
fn devcontainer_json_has_only_properties_of_the_specification() {
    let known = "$schema name features overrideFeatureInstallOrder secrets forwardPorts portsAttributes \
        otherPortsAttributes updateRemoteUserUID containerEnv containerUser mounts init privileged capAdd securityOpt \
        remoteEnv remoteUser initializeCommand onCreateCommand updateContentCommand postCreateCommand \
        postStartCommand postAttachCommand waitFor userEnvProbe hostRequirements customizations \
        dockerComposeFile service runServices workspaceFolder shutdownAction overrideCommand";
    let known: Vec<_> = known.split_whitespace().collect();
    let devcontainer = json_file(".devcontainer/devcontainer.json");
    for (key, value) in devcontainer.as_object().expect("an object") {
        assert!(known.contains(&key.as_str()), "{key}");
        let fits = match key.as_str() {
            "portsAttributes" | "hostRequirements" | "customizations" => value.is_object(),
            "forwardPorts" => value.is_array(),
            _ => value.is_string(),
        };
        assert!(fits, "{key}: {value}");
    }
    assert!(devcontainer.get("features").is_none(), "features need a registry at every build");
}

#[test]
fn the_readme_and_the_env_template_name_the_same_variables_with_the_same_defaults() {
    let readme = file("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> = rows
        .filter_map(|row| {
            let (name, rest) = row.split_once("` | ")?;
            let default = rest.split('|').next()?.trim().trim_matches('`');
            Some((name.to_owned(), default.to_owned()))
        })
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let template = file(".env.template");
    let offered: BTreeSet<_> = template
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(|(name, default)| (name.to_owned(), default.to_owned()))
        .collect();
    assert_eq!(documented, offered);
    let config = file("src/config.rs");
    for (name, _) in documented.iter().filter(|(name, _)| !name.starts_with("ROCKET_")) {
        // `secret` reads NAME_FILE beside NAME.
        let name = name.strip_suffix("_FILE").unwrap_or(name);
        assert!(config.contains(&format!("\"{name}\"")), "{name} is not read");
    }
}

#[test]
fn the_tests_that_the_limits_name_are_there() {
    let limits = file("docs/limits.md");
    let is_there = |name: &str| {
        let (module, test) = name.split_once("::").expect(name);
        let sources = ["integration", "e2e"].map(|kind| format!("tests/{kind}/{module}.rs"));
        let mut sources = sources.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        let start = format!("fn {}", test.trim_end_matches(['…', '*']));
        sources.any(|source| source.contains(&start))
    };
    let names = limits.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::"));
    let (there, missing): (Vec<_>, Vec<_>) = names.partition(|name| is_there(name));
    assert!(there.len() > 15 && missing.is_empty(), "{missing:?}");
}
