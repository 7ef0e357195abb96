//! Agreed texts. `INSTA_UPDATE=always` agrees to what the program says now.

/// Asserts that a text is the one in `tests/snapshots/NAME.snap`.
pub(crate) fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
