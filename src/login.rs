//! An optional login, for those who put the list on a public address: HTTP Basic (RFC 7617), which browsers
//! and programs know by themselves, behind a proxy that speaks TLS.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Mutex;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use governor::{DefaultDirectRateLimiter, Quota};
use ring::hmac;
use rocket::Request;
use rocket::http::Status as Http;

use crate::error::Failure;
use crate::lock;

/// How many logins may be tried at once.
const TRIES_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// And how many a second after that.
const TRIES_A_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();

/// The hash of the `NAME:PASSWORD` that opens the list.
#[derive(Debug, Clone)]
pub struct LoginHash(PasswordHash);

impl LoginHash {
    /// Hashes what a person will log in with, by Argon2id with its recommended parameters and a new salt.
    ///
    /// # Errors
    /// A sentence, if it is not `NAME:PASSWORD`.
    pub fn of(credentials: &str) -> Result<Self, String> {
        match credentials.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {}
            _ => return Err("it takes NAME:PASSWORD on standard input".to_owned()),
        }
        Argon2::default().hash_password(credentials.as_bytes()).map(Self).map_err(|e| e.to_string())
    }
}

/// As a variable holds it: a string of the Password Hashing Competition in Base64, since shells and Compose
/// would take its dollars for variables.
impl std::fmt::Display for LoginHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0.to_string()))
    }
}

impl FromStr for LoginHash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let phc = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(())?;
        let hash = PasswordHash::new(&phc).map_err(|_| ())?;
        (hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some())
            .then_some(Self(hash))
            .ok_or(())
    }
}

/// Lets in who knows what the hash is of.
pub struct Login {
    hash: LoginHash,
    /// One hash at a time, each takes 19 MB.
    hashing: tokio::sync::Mutex<()>,
    tries: DefaultDirectRateLimiter,
    /// The credentials that were right, as a keyed hash: browsers send them with every request.
    right: Mutex<Option<hmac::Tag>>,
    key: hmac::Key,
}

impl Login {
    /// A login for those who know what this is the hash of.
    pub fn new(hash: LoginHash) -> Self {
        let at_once = Quota::per_second(TRIES_A_SECOND).allow_burst(TRIES_AT_ONCE);
        Self {
            // As secret as the hash is; it has a salt.
            key: hmac::Key::new(hmac::HMAC_SHA256, hash.0.to_string().as_bytes()),
            hash,
            hashing: tokio::sync::Mutex::new(()),
            tries: DefaultDirectRateLimiter::direct(at_once),
            right: Mutex::new(None),
        }
    }

    /// Lets in who sends the right name and password.
    ///
    /// # Errors
    /// What to answer the others: 401, or 429 if there were too many.
    pub async fn check(&self, request: &Request<'_>) -> Result<(), Failure> {
        let refused = || Failure::new(Http::Unauthorized, "This list asks for a name and a password.");
        let credentials = request.headers().get_one("Authorization").and_then(credentials).ok_or_else(refused)?;
        if self.was_right(&credentials) {
            return Ok(());
        }
        let _turn = self.hashing.lock().await;
        // Somebody who waited for the same answer.
        if self.was_right(&credentials) {
            return Ok(());
        }
        let too_many = |_| Failure::new(Http::TooManyRequests, "Too many logins were tried. Wait a moment.");
        self.tries.check().map_err(too_many)?;
        let (hash, tag) = (self.hash.clone(), hmac::sign(&self.key, &credentials));
        let verify = move || Argon2::default().verify_password(&credentials, &hash.0);
        match tokio::task::spawn_blocking(verify).await {
            Ok(Ok(())) => {
                *lock(&self.right) = Some(tag);
                Ok(())
            }
            _ => Err(refused()),
        }
    }

    fn was_right(&self, credentials: &[u8]) -> bool {
        let right = *lock(&self.right);
        // Takes the same time wherever the two differ.
        right.is_some_and(|tag| hmac::verify(&self.key, credentials, tag.as_ref()).is_ok())
    }
}

/// `NAME:PASSWORD` of an `Authorization` header.
fn credentials(header: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Basic").then(|| BASE64_STANDARD.decode(encoded.trim()).ok()).flatten()
}
