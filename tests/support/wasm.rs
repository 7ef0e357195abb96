//! WebAssembly written byte by byte, where no tool would write it.

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A number as WebAssembly writes it.
pub(crate) fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A section with its number and its length.
pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

/// A core module of these sections.
pub(crate) fn sections(sections: &[Vec<u8>]) -> Vec<u8> {
    [MODULE, &sections.concat()].concat()
}

/// A core module of so many functions with the same body.
pub(crate) fn module(functions: usize, locals: &[u8], code: &[u8]) -> Vec<u8> {
    let body = [locals, code, &[0x0b]].concat();
    let body = [number(body.len()), body].concat();
    let types = section(1, &[1, 0x60, 0, 0]);
    let declared = section(3, &[number(functions), vec![0; functions]].concat());
    let bodies = section(10, &[number(functions), body.repeat(functions)].concat());
    sections(&[types, declared, bodies])
}

/// A component with one more section at its end. Sections 1 and 4 hold a core module and a component.
pub(crate) fn with_section(component: &[u8], id: u8, content: &[u8]) -> Vec<u8> {
    [component, &section(id, content)].concat()
}
