//! Components: bytes go through the parsing and checking that stands before the compiler.

use keyhole_runtime::loader::examine::not_a_component;
use keyhole_runtime::loader::inspect;

/// Any bytes as a component.
pub fn target(data: &[u8]) {
    let reasons = inspect::misfits(data);
    if not_a_component(data).is_some() {
        assert!(!reasons.is_empty(), "fit, without being a component");
    }
    for reason in reasons {
        assert!(!reason.is_empty(), "refused without a reason");
    }
}
