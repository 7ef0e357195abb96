//! What the bytes of a component say, before anything is compiled.
//!
//! Validates every section and every function with the proposals that strategies need and no other: a
//! list of its own beside the engine's, so that neither alone lets something in.

use wasmparser::{
    ComponentTypeRef, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};

use crate::linker;
use keyhole_log::grants::{Grants, full_name};

/// What WebAssembly a strategy may be written in: what compilers emit today, and the component model
/// without its parts under construction.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::COMPONENT_MODEL);

/// What a valid component is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Core modules in it.
    pub modules: usize,
    /// What makes it more than one component, if anything does.
    pub composed: Option<&'static str>,
}

/// Validates a component and describes it; the error says what is wrong with the bytes.
pub fn examine(bytes: &[u8]) -> Result<Shape, String> {
    if let Some(reason) = not_a_component(bytes) {
        return Err(reason.to_owned());
    }
    walk(bytes).map_err(|error| format!("it is not a valid component: {error}"))
}

/// Everything that keeps a component out under these grants, before it is compiled; empty if nothing does.
pub fn refusals(bytes: &[u8], grants: &Grants) -> Vec<String> {
    match examine(bytes) {
        Ok(shape) => shape.refusals(grants),
        Err(reason) => vec![reason],
    }
}

impl Shape {
    /// Everything that keeps it out under these grants.
    pub fn refusals(&self, grants: &Grants) -> Vec<String> {
        let mut reasons = linker::ungranted(self.imports.iter().map(String::as_str), grants);
        if let Some(what) = self.composed {
            reasons.push(format!("it is composed of several components: {what}"));
        }
        let has = |list: &[String], interface: &str| list.contains(&full_name(interface));
        if !has(&self.exports, "paging") {
            reasons.push(format!("it does not export {}", full_name("paging")));
        }
        if has(&self.exports, "indexing") && !has(&self.imports, "scratch") {
            reasons.push(format!("it exports indexing but does not import {}", full_name("scratch")));
        }
        reasons
    }
}

/// What the first bytes say, where that is enough to refuse a file.
pub fn not_a_component(bytes: &[u8]) -> Option<&'static str> {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    if bytes.is_empty() {
        Some("the file is empty")
    } else if bytes.starts_with(COMPONENT) {
        None
    } else if bytes.starts_with(MODULE) {
        Some("it is a core module, not a component: pack it into one with a component encoder first")
    } else if bytes.starts_with(b"\x7fELF") {
        Some("it is precompiled machine code, which is never loaded")
    } else if COMPONENT.starts_with(bytes) {
        Some("it ends within its first 8 bytes")
    } else if text_begins(bytes) {
        Some("it is WebAssembly in text form: translate it first")
    } else {
        Some("it is not WebAssembly in binary form")
    }
}

fn text_begins(bytes: &[u8]) -> bool {
    let head = bytes.get(..4096).unwrap_or(bytes);
    let head = head.trim_ascii_start();
    head.starts_with(b"(component") || head.starts_with(b"(module") || head.starts_with(b";;")
}

fn walk(bytes: &[u8]) -> wasmparser::Result<Shape> {
    let mut shape = Shape::default();
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    // What each open nesting is: true for a component.
    let mut nesting: Vec<bool> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            let mut function = function.into_validator(std::mem::take(&mut allocations));
            function.validate(&body)?;
            allocations = function.into_allocations();
        }
        if nesting.iter().skip(1).any(|component| *component) {
            shape.composed = shape.composed.or(code_within(&payload));
        }
        match payload {
            Payload::Version { encoding, .. } => {
                nesting.push(encoding == wasmparser::Encoding::Component);
            }
            Payload::End(_) => {
                nesting.pop();
            }
            Payload::ModuleSection { .. } => shape.modules += 1,
            Payload::ComponentImportSection(section) if nesting.len() == 1 => {
                for import in section {
                    let import = import?;
                    shape.imports.push(import.name.name.to_owned());
                    if matches!(import.ty, ComponentTypeRef::Component(_) | ComponentTypeRef::Module(_)) {
                        shape.composed = Some("it imports a component or a core module");
                    }
                }
            }
            Payload::ComponentExportSection(section) if nesting.len() == 1 => {
                for export in section {
                    shape.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}

/// What an inner component may not have. Encoders wrap each exported interface in a component that only
/// renames types and functions; one that holds code or makes instances is a component of its own, between
/// which and the others strings and handles would be carried over by generated code.
fn code_within(payload: &Payload<'_>) -> Option<&'static str> {
    match payload {
        Payload::ModuleSection { .. } => Some("an inner one holds a core module"),
        Payload::InstanceSection(_) => Some("an inner one makes core instances"),
        Payload::ComponentInstanceSection(_) => Some("an inner one makes instances"),
        Payload::ComponentCanonicalSection(_) => Some("an inner one lifts or lowers functions"),
        Payload::ComponentSection { .. } => Some("an inner one holds another"),
        _ => None,
    }
}
