//! The hostile strategies that the binary carries: a few components, each told by name what to play, and
//! some with a shape of their own.

/// One component that plays many strategies.
struct Family {
    /// The strategies' names, sorted.
    names: &'static [&'static str],
    component: &'static [u8],
}

/// What stands before the name in a component; its other half is in the guests' `name.rs`.
const MARKER: &[u8] = b"keyhole-test-guest:";

/// The length of marker, name and padding together.
const FIELD: usize = 64;

include!(concat!(env!("OUT_DIR"), "/zoo.rs"));

/// The names of all strategies, family by family.
pub fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.names.iter().copied()).chain(TEXTS.iter().map(|(name, _)| *name))
}

/// The component that plays the strategy `name`; None if there is none of that name.
pub fn component(name: &str) -> Option<Vec<u8>> {
    if let Some((_, component)) = TEXTS.iter().find(|(text, _)| *text == name) {
        return Some(component.to_vec());
    }
    let family = FAMILIES.iter().find(|family| family.names.contains(&name))?;
    let field = family.component.windows(MARKER.len()).position(|bytes| bytes == MARKER)?;
    let mut patched = family.component.to_vec();
    let spelled = [MARKER, name.as_bytes()].concat();
    let place = patched.get_mut(field..field + FIELD)?;
    place.fill(b'.');
    place.get_mut(..spelled.len())?.copy_from_slice(&spelled);
    Some(patched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_carries_its_name_once() {
        for name in FAMILIES.iter().flat_map(|family| family.names) {
            let component = component(name).unwrap();
            let at: Vec<usize> = component
                .windows(MARKER.len())
                .enumerate()
                .filter(|(_, bytes)| *bytes == MARKER)
                .map(|(at, _)| at)
                .collect();
            let [at] = at[..] else { panic!("{name}: the marker stands at {at:?}") };
            assert!(component[at + MARKER.len()..].starts_with(format!("{name}.").as_bytes()));
        }
    }
}
