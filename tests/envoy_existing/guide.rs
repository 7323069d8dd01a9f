//! The guide, as its reader has it.

use dragoman_tests::envoy::root;
use serde_json::Value;
use std::fs;

/// Where it is.
const GUIDE: &str = "docs/existing-envoy.md";

/// The guide's fenced blocks, by what stands behind their language.
pub(crate) struct Guide(String);

impl Guide {
    pub(crate) fn read() -> Self {
        Self(fs::read_to_string(root().join(GUIDE)).unwrap())
    }

    #[track_caller]
    pub(crate) fn block(&self, name: &str) -> &str {
        let opening = format!("```yaml {name}\n");
        let (_, rest) = self.0.split_once(&opening).unwrap_or_else(|| panic!("{GUIDE} has no block {name}"));
        rest.split_once("```\n").expect("it ends").0
    }

    /// The commands of a step.
    #[track_caller]
    pub(crate) fn commands(&self, step: u32) -> &str {
        let heading = format!("\n## {step} ");
        let (_, rest) = self.0.split_once(&heading).unwrap_or_else(|| panic!("{GUIDE} has no step {step}"));
        let step = rest.split("\n## ").next().expect("it is there");
        let (_, rest) = step.split_once("```sh\n").unwrap_or_else(|| panic!("no command in {step}"));
        rest.split_once("```\n").expect("it ends").0
    }

    /// A block with what only the test's machine has in the place of what only the reader's has.
    #[track_caller]
    pub(crate) fn yaml(&self, name: &str, changes: &[(&str, &str)]) -> Value {
        let mut text = self.block(name).to_owned();
        for (theirs, ours) in changes {
            assert!(text.contains(theirs), "the block {name} has no {theirs}");
            text = text.replace(theirs, ours);
        }
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("the block {name}: {error}"))
    }
}
