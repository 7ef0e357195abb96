//! What `wit-bindgen` makes of the world `bench`: the crate's only unsafe code, none of it ours.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::pedantic)]

wit_bindgen::generate!({ world: "bench", path: "../wit" });

export!(Tasks with_types_in self);

use crate::component::Tasks;
