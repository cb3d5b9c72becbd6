//! The project's own `.vscode/launch.json`, as CodeLLDB would have it.

use std::path::Path;
use std::process::Command;

use rocket::serde::json::{Value, json, serde_json};

use crate::dap::Session;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Starts the session of the configuration with this name, and waits for its debuggee; see [`ask`].
pub fn start(name: &str, chosen: &[(&str, &str)], more: Value) -> Session {
    ask(name, chosen, more).started()
}

/// Asks for the session of the configuration with this name. `chosen` are the answers to its inputs and
/// the variables of the editor: `("${input:test}", "pages::")`; `more` is added to its attributes.
pub fn ask(name: &str, chosen: &[(&str, &str)], more: Value) -> Session {
    ask_adapter(&mut Command::new("lldb-dap-19"), name, chosen, more)
}

/// As [`ask`], of an adapter that is started by this command.
pub fn ask_adapter(adapter: &mut Command, name: &str, chosen: &[(&str, &str)], more: Value) -> Session {
    let mut configuration = configuration(name, chosen);
    let request = configuration["request"].as_str().expect("a request").to_owned();
    let attributes = configuration.as_object_mut().expect("an object");
    // CodeLLDB runs cargo before its adapter sees the configuration.
    if let Some(cargo) = attributes.remove("cargo") {
        attributes.insert("program".into(), json!(built(&cargo)));
    }
    // And it loads Rust's formatters itself, where the languages are said.
    if attributes.remove("sourceLanguages") == Some(json!(["rust"])) {
        let formatters = format!("{}/lib/rustlib/etc", sysroot());
        let commands = attributes.entry("initCommands").or_insert_with(|| json!([]));
        commands.as_array_mut().expect("commands").extend([
            json!(format!("command script import {formatters}/lldb_lookup.py")),
            json!(format!("command source -s 1 {formatters}/lldb_commands")),
        ]);
    }
    // What lldb-dap has by another name.
    if let Some(commands) = attributes.remove("processCreateCommands") {
        attributes.insert("attachCommands".into(), commands);
    }
    attributes.extend(more.as_object().expect("attributes").clone());
    Session::ask(adapter, &request, &configuration)
}

/// The configuration with this name, with its variables replaced.
fn configuration(name: &str, chosen: &[(&str, &str)]) -> Value {
    let mut text = std::fs::read_to_string(Path::new(FOLDER).join(".vscode/launch.json")).expect("launch.json");
    for (variable, value) in chosen.iter().chain(&[("${workspaceFolder}", FOLDER)]) {
        text = text.replace(variable, value);
    }
    let launch: Value =
        jsonc_parser::parse_to_serde_value(&text, &jsonc_parser::ParseOptions::default()).expect("JSON with comments");
    let configurations = launch["configurations"].as_array().expect("configurations");
    let found = configurations.iter().find(|configuration| configuration["name"] == name);
    found.unwrap_or_else(|| panic!("launch.json has no {name:?}")).clone()
}

/// Runs cargo as the attribute says, and returns the program that it built and the filter lets pass.
fn built(cargo: &Value) -> String {
    let mut args: Vec<_> = cargo["args"].as_array().expect("args").iter().filter_map(Value::as_str).collect();
    args.insert(1, "--message-format=json");
    let output = cargo_command().args(&args).output().expect("cargo");
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let (name, kind) = (&cargo["filter"]["name"], &cargo["filter"]["kind"]);
    let mut programs = messages.filter(|message: &Value| {
        let target = &message["target"];
        message["executable"].is_string()
            && (name.is_null() || target["name"] == *name)
            && (kind.is_null() || target["kind"].as_array().is_some_and(|kinds| kinds.contains(kind)))
    });
    let program = programs.next().unwrap_or_else(|| panic!("cargo {args:?} built no program"));
    assert!(programs.next().is_none(), "cargo {args:?} built several programs; CodeLLDB would not know which to take");
    program["executable"].as_str().expect("a path").to_owned()
}

/// Cargo as a terminal has it: what it tells a test would have it compile some dependencies again.
pub fn cargo_command() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" && name != "CARGO_TARGET_DIR" {
            command.env_remove(name);
        }
    }
    command.current_dir(FOLDER);
    command
}

fn sysroot() -> String {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc on the PATH");
    String::from_utf8(output.stdout).expect("a path").trim_end().to_owned()
}
