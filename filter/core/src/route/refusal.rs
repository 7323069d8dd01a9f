//! What the caller is told where no target is left.

use alloc::format;

use super::planned::{Dropped, list};
use crate::error::{Error, Kind};

/// The refusal of a request whose candidates were dropped for these reasons.
///
/// One candidate is refused in its own words. Of several the reason is told that the caller can do most about: a shorter request,
/// another one, then what may be over in a moment, then another key, then another name.
pub(super) fn refuse(dropped: &[Dropped]) -> Error {
    let [first, others @ ..] = dropped else {
        return Error::new(Kind::UpstreamUnavailable, "The routing configuration leads to no target.");
    };
    if others.is_empty() {
        return first.error.clone();
    }
    let worth = |kind: Kind| {
        const ORDER: [Kind; 5] = [
            Kind::ModelNotFound,
            Kind::PermissionDenied,
            Kind::UpstreamUnavailable,
            Kind::InvalidRequest,
            Kind::ContextLengthExceeded,
        ];
        ORDER.iter().position(|other| *other == kind)
    };
    let best = others.iter().fold(
        first,
        |best, other| {
            if worth(other.error.kind) > worth(best.error.kind) { other } else { best }
        },
    );
    let message = format!("No target is left for this request. {}", list(dropped.iter().map(Dropped::text)));
    Error { message, ..best.error.clone() }
}
