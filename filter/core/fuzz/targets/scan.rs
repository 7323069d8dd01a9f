//! The scanner takes what serde takes, but for what it refuses on purpose, and no cut changes what it finds.
#![no_main]

use dragoman_core::json::{Failure, Fault, Found, Scanner};
use dragoman_fuzz::pieces;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fn scan(pieces: &[&[u8]]) -> Result<Found, Failure> {
    let mut scanner = Scanner::new(&["model", "stream", "usage"]);
    for piece in pieces {
        scanner.feed(piece)?;
    }
    scanner.finish()
}

fuzz_target!(|document: &[u8]| {
    let found = scan(&[document]);
    let cut = scan(&pieces(document));
    assert_eq!(format!("{found:?}"), format!("{cut:?}"));
    let theirs = serde_json::from_slice::<&RawValue>(document);
    match found {
        Ok(found) => {
            assert!(theirs.is_ok());
            for member in &found.members {
                let value = &document[member.span.clone()];
                assert!(serde_json::from_slice::<&RawValue>(value).is_ok());
                assert!(member.text.as_deref().is_none_or(|text| text == value));
            }
        }
        Err(Failure { fault: Fault::Duplicate(_) | Fault::NotAnObject | Fault::TooDeep, .. }) => {}
        Err(_) => assert!(theirs.is_err()),
    }
});
