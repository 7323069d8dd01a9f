//! Google's Gemini API.

use super::Spec;
use crate::dialect::gemini::Gemini;

/// <https://ai.google.dev/gemini-api/docs/api-key>
pub(super) const SPEC: Spec = Spec {
    name: "gemini",
    home: ("generativelanguage.googleapis.com", "/v1beta"),
    credential: ("x-goog-api-key", ""),
    dialect: &Gemini,
    tools_preface: 0,
};
