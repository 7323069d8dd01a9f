//! What Envoy's router is told of a plan, and how the attempt finds it again: one value with the cluster, a token, and marks by
//! which a route is chosen.

use alloc::string::{String, ToString};

use super::{Mode, Plan, Target};

/// The filter state property that carries `{cluster}#{token}`: the prefix up to and with `#` chooses the cluster (Envoy's
/// matcher specifier reads it as `wasm.dragoman.next`), the token finds the plan in the worker's memory. One property,
/// because each costs about a microsecond to set and another to read.
pub const NEXT_PROPERTY: &str = "dragoman.next";

/// Follows the token where more than one try is possible: only such a request has a route with a retry policy, because Envoy
/// then keeps a copy of its body.
pub const TRIES_MARK: &str = "#tries";

/// The same where the module makes all tries but the first by calls of its own: Envoy does not retry then, but it must bear the
/// silence while they are made, and how much of it is a matter of the route.
pub const CALLS_MARK: &str = "#calls";

/// Ends the value of [`NEXT_PROPERTY`] where the client asked for the flex tier: such a request has a route of its own,
/// because how long an attempt may be silent is a matter of the route and can be set by no header.
pub const FLEX_MARK: &str = "#flex";

/// The request header that names the cluster, for routes that have no other way to know it (`cluster_header`): those of an
/// Envoy that was there before the gateway, and of all before 1.39.
pub const CLUSTER_HEADER: &str = "x-dragoman-cluster";

/// How the route finds the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signpost {
    /// By [`NEXT_PROPERTY`]: the route was rendered for it.
    Property,
    /// By [`CLUSTER_HEADER`]: so was the route.
    Header,
    /// By one of the two; which, the one knows who wrote the route.
    Either,
}

impl Plan {
    /// The value of [`NEXT_PROPERTY`] for the target whose turn it is; `None` where there is none, and where no route reads it.
    #[must_use]
    pub fn signpost(&self, token: u32) -> Option<String> {
        self.progress.borrow().front().and_then(|target| self.signpost_to(target, token))
    }

    /// The same for the case that nothing more is heard of the try under way.
    #[must_use]
    pub fn signpost_after_silence(&self, token: u32) -> Option<String> {
        self.progress.borrow().after_silence().and_then(|target| self.signpost_to(target, token))
    }

    /// Whether another cluster is the next one then.
    #[must_use]
    pub fn turns_after_silence(&self) -> bool {
        let progress = self.progress.borrow();
        progress
            .after_silence()
            .zip(progress.last())
            .is_some_and(|(next, last)| self.cluster(next) != self.cluster(last))
    }

    fn signpost_to(&self, target: &Target, token: u32) -> Option<String> {
        let tries = match self.mode {
            Mode::Native => TRIES_MARK,
            Mode::Dispatch if self.may_try_again() => CALLS_MARK,
            Mode::Dispatch => "",
        };
        let flex = if self.inquiry.request.flex { FLEX_MARK } else { "" };
        // One that knows the cluster by a header is still chosen by its marks.
        let is_marked = !tries.is_empty() || !flex.is_empty();
        let is_read = target.provider.signpost != Signpost::Header || is_marked;
        is_read.then(|| [self.cluster(target), "#", &token.to_string(), tries, flex].concat())
    }

    /// The cluster and the token in a value of [`NEXT_PROPERTY`].
    #[must_use]
    pub fn read_signpost(next: &[u8]) -> Option<(&str, u32)> {
        let next = core::str::from_utf8(next).ok()?;
        let next = next.strip_suffix(FLEX_MARK).unwrap_or(next);
        let next = next.strip_suffix(TRIES_MARK).or_else(|| next.strip_suffix(CALLS_MARK)).unwrap_or(next);
        let (cluster, token) = next.rsplit_once('#')?;
        Some((cluster, token.parse().ok()?))
    }
}
