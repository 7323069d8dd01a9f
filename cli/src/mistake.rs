//! What is wrong with a configuration, named by what its operator wrote.
//!
//! The core knows one document and names places in it. Here it has two authors, the file and the environment, and whoever set a
//! variable has never seen the place where its value ends up.

use std::{fmt, path::PathBuf};

use dragoman_core::config::Problem;

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// With the file.
    File(Problem),
    /// With these environment variables, or with what they amount to.
    Variables(Vec<&'static str>, String),
}

/// A configuration that cannot be used: printed one mistake a line, the process exits 2.
#[derive(Debug)]
pub struct BadFile {
    /// The file as named on the command line.
    pub path: PathBuf,
    /// All that is wrong with it and with what the environment says besides.
    pub mistakes: Vec<Mistake>,
}

impl Mistake {
    /// Of the file as a whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self::File(Problem { pointer: String::new(), message: message.into() })
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(problem) => problem.fmt(f),
            Self::Variables(names, message) => write!(f, "{}: {message}", names.join(", ")),
        }
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            match mistake {
                Mistake::File(problem) => write!(f, "{}: {problem}", self.path.display())?,
                Mistake::Variables(..) => mistake.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for BadFile {}
