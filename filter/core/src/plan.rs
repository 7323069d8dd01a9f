//! What ingress and attempt agree on.

/// The filter state property that carries `{cluster}#{token}`: the prefix up to and with `#` chooses the cluster (Envoy's
/// matcher specifier reads it as `wasm.dragoman.next`), the token finds the plan in the worker's memory. One property,
/// because each costs about a microsecond to set and another to read.
pub const NEXT_PROPERTY: &str = "dragoman.next";
