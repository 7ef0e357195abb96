//! Components: bytes go through the parsing and checking that stands before the compiler.

use keyhole::commands::inspect;
use keyhole::loader::examine::not_a_component;

/// Any bytes as a component.
pub(crate) fn target(data: &[u8]) {
    let reasons = inspect::misfits(data);
    if not_a_component(data).is_some() {
        assert!(!reasons.is_empty(), "fit, without being a component");
    }
    for reason in reasons {
        assert!(!reason.is_empty(), "refused without a reason");
    }
}
