//! What wit-bindgen makes of `wit/`, and nothing else.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic, reason = "generated")]

use super::Keyset;

wit_bindgen::generate!({
    world: "indexed-strategy",
    path: "../wit",
});

export!(Keyset);
