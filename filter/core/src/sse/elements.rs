//! Where the elements of a JSON array end, as they come: Gemini streams so where no events are asked for.
//!
//! Only brackets and quotes are looked at. What an element says is for who reads it; what is no JSON has no end, and a document
//! that is no array is one element. Each byte is looked at once, however the input is cut.

/// How far the input is.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    depth: u32,
    /// How deep the elements stand: 1 in an array, 0 where there is none.
    floor: u32,
    text: Text,
}

#[derive(Debug, Clone, Copy, Default)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl Elements {
    /// The place just after the first element that ends in `bytes`, or after the array itself.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let at = bytes.iter().position(|&byte| self.ends_at(byte))?;
        Some(at.saturating_add(1))
    }

    fn ends_at(&mut self, byte: u8) -> bool {
        match (self.text, byte) {
            (Text::Outside, b'[' | b'{') => {
                if self.depth == 0 {
                    self.floor = (byte == b'[').into();
                }
                self.depth = self.depth.saturating_add(1);
            }
            (Text::Outside, b']' | b'}') => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth <= self.floor;
            }
            (Text::Outside, b'"') | (Text::Escaped, _) => self.text = Text::Inside,
            (Text::Inside, b'\\') => self.text = Text::Escaped,
            (Text::Inside, b'"') => self.text = Text::Outside,
            (Text::Outside | Text::Inside, _) => {}
        }
        false
    }
}
