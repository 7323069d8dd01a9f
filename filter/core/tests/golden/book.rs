//! Golden files: read, compared, written. A difference is shown as lines, all differences of a test at once.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

/// The folder of the goldens.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.into_iter().collect()
}

/// What a test expects, and whether it came so.
#[derive(Default)]
pub(crate) struct Book {
    differences: Vec<String>,
    expected: BTreeSet<PathBuf>,
}

impl Book {
    /// Compares a golden file with what came, or writes it.
    pub(crate) fn expect(&mut self, path: PathBuf, got: &str) {
        if env::var_os("GOLDEN").is_some_and(|mode| mode == "write") {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, got).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != got {
            let shown = path.strip_prefix(root()).unwrap_or(&path);
            self.differences.push(format!("{}\n{}", shown.display(), difference(&expected, got)));
        }
        self.expected.insert(path);
    }

    /// What does not fit and is no file.
    pub(crate) fn complain(&mut self, complaint: String) {
        self.differences.push(complaint);
    }

    /// Files of this folder that nothing has been compared with are of a case that is gone.
    pub(crate) fn check_stale(&mut self, folder: &Path, is_ours: impl Fn(&str) -> bool) {
        for name in names(folder) {
            let path = folder.join(&name);
            if is_ours(&name) && path.is_file() && !self.expected.contains(&path) {
                self.differences.push(format!("{} belongs to no case", path.display()));
            }
        }
    }

    /// Fails with all differences.
    pub(crate) fn close(self) {
        let count = self.differences.len();
        assert!(count == 0, "{}\n{count} differences; GOLDEN=write accepts them", self.differences.join("\n\n"));
    }
}

/// The lines that differ, with a few around them.
fn difference(expected: &str, got: &str) -> String {
    const CONTEXT: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    let mark =
        |sign: &str, lines: &[&str]| -> String { lines.iter().flat_map(|line| [sign, " ", line, "\n"]).collect() };
    let before = mark(" ", &old[same.saturating_sub(CONTEXT)..same]);
    let after = mark(" ", &old[old.len() - tail..(old.len() - tail + CONTEXT).min(old.len())]);
    let (removed, added) = (mark("-", &old[same..old.len() - tail]), mark("+", &new[same..new.len() - tail]));
    [before, removed, added, after].concat()
}

#[test]
fn a_difference_is_shown_with_its_surroundings() {
    assert_eq!(difference("a\nb\nc\nd\ne\nf", "a\nb\nc\nx\ny\nf"), "  a\n  b\n  c\n- d\n- e\n+ x\n+ y\n  f\n");
    assert_eq!(difference("", "a"), "+ a\n");
    assert_eq!(difference("a\na", "a"), "  a\n- a\n");
}
