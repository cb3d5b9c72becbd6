//! The optional login: who is let in, and how fast somebody else may guess.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use rocket::tokio;
use tempfile::tempdir;
use todo_app::login::LoginHash;

use crate::app::{App, FORM};
use crate::process::{all_said, run};
use crate::support::{Server, client, command};

const NAME: &str = "ada";
const PASSWORD: &str = "correct: hörse";

fn hash() -> LoginHash {
    LoginHash::of(&format!("{NAME}:{PASSWORD}")).unwrap()
}

/// A server that asks for the login, its list empty.
fn guarded() -> (tempfile::TempDir, Server) {
    let folder = tempdir().unwrap();
    let mut starts = command(folder.path());
    starts.env("LOGIN_HASH", hash().to_string());
    (folder, Server::start_with(starts))
}

async fn logs_in(server: &Server, name: &str, password: &str) -> Response {
    client().get(&server.url).basic_auth(name, Some(password)).send().await.unwrap()
}

#[rocket::async_test]
async fn without_a_login_every_route_but_the_health_is_shut() {
    let app = App::start_with(|config| config.login = Some(hash())).await;
    let routes: Vec<_> = app.client.rocket().routes().filter(|route| route.rank < 100).collect();
    assert!(routes.len() > 15);
    for route in routes {
        let path = route.uri.path().replace("<path..>", "app.css").replace(['<', '>'], "");
        let answer = app.send(route.method, &path, &[FORM], "title=Mine").await;
        if route.uri.path().starts_with("/health") {
            answer.is(200);
            continue;
        }
        let answer = answer.is(401).shows("This list asks for a name and a password.");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Basic realm=\"To-Do\", charset=\"UTF-8\""));
    }
}

#[rocket::async_test]
async fn the_right_name_and_password_open_the_list_and_nothing_else_does() {
    let (_folder, server) = guarded();
    assert_eq!(logs_in(&server, NAME, PASSWORD).await.status(), 200);
    for (name, password) in [(NAME, "wrong"), ("eve", PASSWORD), (NAME, ""), ("", ""), (NAME, "correct: hörs")] {
        assert_eq!(logs_in(&server, name, password).await.status(), 401, "{name}:{password}");
    }
    for header in ["Basic", "Basic ", "Basic !", "Bearer YWRhOmNvcnJlY3Q6IGjDtnJzZQ==", ""] {
        let answer = client().get(&server.url).header("Authorization", header).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{header:?}");
    }
    let item = client().post(format!("{}/api/todos", server.url)).basic_auth(NAME, Some(PASSWORD));
    assert_eq!(
        item.body("{\"title\": \"Mine\"}").header("Content-Type", "application/json").send().await.unwrap().status(),
        201
    );
    assert!(logs_in(&server, NAME, PASSWORD).await.text().await.unwrap().contains("Mine"));
    assert!(!server.output().contains("correct"), "{}", server.output());
}

#[rocket::async_test]
async fn who_guesses_is_slowed_down_and_who_is_in_is_not() {
    let (_folder, server) = guarded();
    assert_eq!(logs_in(&server, NAME, PASSWORD).await.status(), 200);
    let guesses = (0..40).map(|n| {
        let (url, guess) = (server.url.clone(), format!("guess {n}"));
        tokio::spawn(async move { client().get(url).basic_auth(NAME, Some(guess)).send().await.unwrap() })
    });
    let mut slowed_down = 0;
    for guess in guesses.collect::<Vec<_>>() {
        let answer = guess.await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.headers()["Retry-After"], "1");
            slowed_down += 1;
        } else {
            assert_eq!(answer.status(), 401);
        }
    }
    assert!(slowed_down > 10, "only {slowed_down} of 40");
    assert_eq!(logs_in(&server, NAME, PASSWORD).await.status(), 200);
    // Later the next guess is heard, and is still wrong.
    let started = Instant::now();
    while logs_in(&server, NAME, "guess").await.status() == 429 {
        assert!(started.elapsed() < Duration::from_secs(10), "nobody else gets in any more");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[rocket::async_test]
async fn the_command_prints_a_hash_that_the_variable_or_its_file_takes() {
    let folder = tempdir().unwrap();
    let mut hashes = command(folder.path());
    hashes.arg("hash-login").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = hashes.spawn().unwrap();
    writeln!(process.stdin.take().unwrap(), "{NAME}:{PASSWORD}").unwrap();
    let hash = String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap();
    // Shells and Compose leave it as it is.
    assert!(hash.trim().chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{hash}");
    let file = folder.path().join("hash");
    std::fs::write(&file, hash).unwrap();
    let mut starts = command(folder.path());
    starts.env("LOGIN_HASH_FILE", file);
    let server = Server::start_with(starts);
    assert_eq!(logs_in(&server, NAME, PASSWORD).await.status(), 200);
    assert_eq!(logs_in(&server, NAME, "wrong").await.status(), 401);
}

#[test]
fn the_command_refuses_what_is_no_name_and_password() {
    for line in ["", "ada", "ada:", ":secret"] {
        let hashes = Command::new("/bin/sh")
            .args(["-c", &format!("echo '{line}' | {} hash-login", env!("CARGO_BIN_EXE_todo-app"))])
            .output()
            .unwrap();
        assert_eq!(hashes.status.code(), Some(1), "{line}");
        assert!(String::from_utf8(hashes.stderr).unwrap().contains("NAME:PASSWORD"));
    }
}

#[test]
fn a_hash_that_is_none_is_refused_at_the_start_and_not_shown() {
    let folder = tempdir().unwrap();
    for value in ["ada:secret", "JGFyZ29uMmlkJHY9MTk", "$argon2id$v=19$m=19456,t=2,p=1$secret$secret", "c2VjcmV0"] {
        let output = run(command(folder.path()).env("LOGIN_HASH", value));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{value}: {said}");
        assert!(said.contains("LOGIN_HASH") && said.contains("hash-login"), "{said}");
        assert!(!said.contains(value), "{said}");
    }
}

#[test]
fn an_open_list_at_a_public_address_is_warned_about_in_one_line() {
    let folder = tempdir().unwrap();
    let warnings = |address: &str, login: Option<LoginHash>| {
        let mut starts = command(folder.path());
        starts.env("ROCKET_ADDRESS", address);
        if let Some(hash) = login {
            starts.env("LOGIN_HASH", hash.to_string());
        }
        all_said(Server::start_with(starts)).lines().filter(|line| line.contains("no login is set")).count()
    };
    assert_eq!(warnings("0.0.0.0", None), 1);
    assert_eq!(warnings("0.0.0.0", Some(hash())), 0);
    assert_eq!(warnings("127.0.0.1", None), 0);
}
