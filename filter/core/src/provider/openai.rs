//! OpenAI, and everything compatible with it.

use super::Spec;
use crate::dialect::openai_chat::OpenAiChat;

/// <https://platform.openai.com/docs/api-reference/authentication>
pub(super) const SPEC: Spec = Spec {
    name: "openai",
    home: ("api.openai.com", "/v1"),
    credential: ("authorization", "Bearer "),
    dialect: &OpenAiChat,
    tools_preface: 0,
};
