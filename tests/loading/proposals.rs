//! Parts of WebAssembly that strategies do without: each is refused by the examination, and by the engine
//! alone.

use keyhole_log::limits::Ceilings;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::examine::examine;

/// Core modules, each of which uses one of them.
const PROPOSALS: [(&str, &str); 13] = [
    ("gc", "(module (type (struct (field i32))))"),
    ("gc-references", "(module (func (param anyref)))"),
    ("external-references", "(module (table 1 externref))"),
    ("exceptions", "(module (tag))"),
    ("function-references", "(module (type $f (func)) (func (param (ref $f))))"),
    ("memory64", "(module (memory i64 1))"),
    ("multi-memory", "(module (memory 1) (memory 1))"),
    ("threads", "(module (memory 1 1 shared))"),
    ("tail-call", "(module (func return_call 0))"),
    (
        "relaxed-simd",
        "(module (func (param v128) (result v128) local.get 0 local.get 0 i8x16.relaxed_swizzle))",
    ),
    ("custom-page-sizes", "(module (memory 1 (pagesize 1)))"),
    (
        "wide-arithmetic",
        "(module (func (param i64) (result i64 i64) local.get 0 local.get 0 local.get 0 local.get 0 i64.add128))",
    ),
    ("stack-switching", "(module (type $f (func)) (type (cont $f)))"),
];

/// Components that use parts of the component model under construction.
const COMPONENTS: [(&str, &str); 3] = [
    ("stream", "(component (type (stream u8)))"),
    ("future", "(component (type (future u8)))"),
    ("error-context", "(component (type error-context))"),
];

#[test]
fn each_proposal_that_is_off_is_refused_by_both() {
    let engine = Engine::new(&Ceilings::default()).unwrap();
    let modules = PROPOSALS.map(|(name, text)| {
        let wrapped = text.replacen("(module", "(component (core module", 1) + ")";
        (name, wrapped)
    });
    let components = COMPONENTS.map(|(name, text)| (name, text.to_owned()));
    for (name, text) in modules.into_iter().chain(components) {
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let examined = examine(&bytes);
        assert!(examined.is_err(), "{name} passes the examination");
        assert!(engine.wasmtime().precompile_component(&bytes).is_err(), "{name} passes the engine");
        println!("{name}: {}", examined.unwrap_err());
    }
}

#[test]
fn what_compilers_emit_passes_both() {
    let text = "(component (core module
        (type (func (param i32) (result i32 i32)))
        (memory (export \"memory\") 1) (table 1 funcref) (global (mut i32) (i32.add (i32.const 1) (i32.const 2)))
        (func (param f32 v128) (result i32)
            (memory.copy (i32.const 0) (i32.const 8) (i32.const 8))
            (drop (i32.extend8_s (i32.trunc_sat_f32_s (local.get 0))))
            (i32x4.extract_lane 0 (local.get 1)))))";
    let bytes = wat::parse_str(text).unwrap();
    assert!(examine(&bytes).is_ok());
    let engine = Engine::new(&Ceilings::default()).unwrap();
    assert!(engine.wasmtime().precompile_component(&bytes).is_ok());
}
