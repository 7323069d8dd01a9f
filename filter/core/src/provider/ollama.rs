//! Ollama: usually a server of one's own, named by `base_url` and asking for nothing; else Ollama's cloud.

use super::Spec;
use crate::dialect::ollama::Ollama;

/// <https://docs.ollama.com/api/authentication>
pub(super) const SPEC: Spec = Spec {
    name: "ollama",
    home: ("ollama.com", ""),
    credential: ("authorization", "Bearer "),
    dialect: &Ollama,
    tools_preface: 0,
};
