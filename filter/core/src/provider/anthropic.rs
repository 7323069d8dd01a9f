//! Anthropic.

use super::Spec;
use crate::dialect::anthropic::Anthropic;

/// <https://platform.claude.com/docs/en/api/overview#authentication>
pub(super) const SPEC: Spec = Spec {
    name: "anthropic",
    home: ("api.anthropic.com", "/v1"),
    credential: ("x-api-key", ""),
    dialect: &Anthropic,
    // 290 to 600 in recorded requests of Claude 4 models, half of them above this.
    tools_preface: 430,
};
