//! A name as one segment of a path: whatever a client calls a model, it cannot lead anywhere else.

use alloc::string::String;

/// Appends a name, with everything escaped that could end the segment or mean another one.
pub(crate) fn push(path: &mut String, name: &str) {
    let is_dots = name.bytes().all(|byte| byte == b'.');
    for byte in name.bytes() {
        match byte {
            b'.' if is_dots => path.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => path.push(char::from(byte)),
            _ => path.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        for (name, segment) in [
            ("gpt-4o_mini.2", "gpt-4o_mini.2"),
            ("../../x?y#z", "..%2F..%2Fx%3Fy%23z"),
            ("..", "%2E%2E"),
            ("a%2Fb:c", "a%252Fb%3Ac"),
        ] {
            let mut path = String::new();
            push(&mut path, name);
            assert_eq!(path, segment);
        }
    }
}
