//! Facts that stand in two files and must agree.

use std::collections::BTreeSet;
use std::path::Path;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
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
        assert!(config.contains(&format!("\"{name}\"")), "{name} is not read");
    }
}
