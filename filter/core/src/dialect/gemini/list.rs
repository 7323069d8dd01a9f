//! A stream that was not asked for as events: the elements of one array, as they come.

use super::steps::Steps;
use crate::{
    chat::Delta,
    dialect::{Broken, Reader},
    sse::Frame,
};

/// Reads the elements, each with the bracket or comma before it, and the bracket behind the last one.
#[derive(Debug, Default)]
pub(super) struct List(Steps);

impl Reader for List {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken> {
        let text = core::str::from_utf8(frame.raw).map_err(|_| Broken::Malformed)?.trim();
        let element = text.strip_prefix('[').or_else(|| text.strip_prefix(',')).map(str::trim_start);
        match element.unwrap_or(text) {
            "]" => each(Delta::End),
            json => self.0.take(json, &mut |delta| each(delta))?,
        }
        // A document that is no list is all there is.
        if element.is_none() {
            each(Delta::End);
        }
        Ok(())
    }
}
