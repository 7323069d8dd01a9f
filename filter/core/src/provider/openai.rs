//! OpenAI, and everything compatible with it.

use super::Spec;

/// <https://platform.openai.com/docs/api-reference/authentication>
pub(super) const SPEC: Spec = Spec { credential: ("authorization", "Bearer ") };
