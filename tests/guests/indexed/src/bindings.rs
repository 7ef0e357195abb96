//! What `wit-bindgen` makes of the world `indexed-strategy`: the crate's only unsafe code, none of it ours.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::pedantic)]

wit_bindgen::generate!({ world: "indexed-strategy", path: "../../../wit" });

export!(Hostile with_types_in self);

use crate::component::Hostile;
