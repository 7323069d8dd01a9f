//! Notices that the configuration file has changed and stands still.
//!
//! It is read again and again, by its path: editors, `git` and mounted volumes replace a file in ways that a watch on the
//! file itself does not survive, its time of change is too coarse for a quick second edit, and it is small. An editor that
//! writes in place leaves a file cut short for a moment, which may be a good one that lacks its last keys. So a change counts
//! when it was there twice in a row, and so does what is looked at because somebody asked.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::document;

const POLL: Duration = Duration::from_millis(150);

/// The text, or why there is none.
pub(super) type Content = Result<String, String>;

pub(super) struct Watch {
    path: PathBuf,
    polls: Interval,
    /// What was last handed out.
    known: Content,
    /// What was there at the last look.
    last: Content,
    /// Whether what is there is to be handed out even if it is known.
    is_asked: bool,
}

impl Watch {
    /// Begins with what the file is now. Within a runtime only.
    pub(super) fn new(path: PathBuf) -> Self {
        let known = read(&path);
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { path, polls, last: known.clone(), known, is_asked: false }
    }

    /// Waits for other content than that which was handed out last, or for any after [`Self::look`]. May be dropped and called
    /// again.
    pub(super) async fn changed(&mut self) -> Content {
        loop {
            self.polls.tick().await;
            let now = read(&self.path);
            if now == self.last && (self.is_asked || now != self.known) {
                self.is_asked = false;
                self.known.clone_from(&now);
                return now;
            }
            self.last = now;
        }
    }

    /// Has what is there handed out, changed or not, once it stands still.
    pub(super) fn look(&mut self) {
        // Asked again meanwhile, the answer would only be put off.
        if !self.is_asked {
            self.is_asked = true;
            self.last = read(&self.path);
            self.polls.reset();
        }
    }
}

fn read(path: &PathBuf) -> Content {
    let file = fs::metadata(path).and_then(|metadata| {
        // A pipe would be waited for.
        if metadata.is_file() { File::open(path) } else { Err(io::Error::other("it is not a regular file")) }
    });
    file.map_err(|error| error.to_string()).and_then(document::text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(600);

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_file_written_in_place_renamed_or_removed_is_noticed_and_the_same_again_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dragoman.yaml");
        fs::write(&path, "one").unwrap();
        run(async {
            let mut watch = Watch::new(path.clone());
            assert!(timeout(SHORT, watch.changed()).await.is_err());
            fs::write(&path, "two").unwrap();
            assert_eq!(timeout(LONG, watch.changed()).await.unwrap().as_deref(), Ok("two"));
            let other = folder.path().join("other");
            fs::write(&other, "six").unwrap();
            fs::rename(&other, &path).unwrap();
            assert_eq!(timeout(LONG, watch.changed()).await.unwrap().as_deref(), Ok("six"));
            fs::write(&path, "six").unwrap();
            assert!(timeout(SHORT, watch.changed()).await.is_err());
            fs::remove_file(&path).unwrap();
            assert!(timeout(LONG, watch.changed()).await.unwrap().is_err());
            assert!(timeout(SHORT, watch.changed()).await.is_err());
            watch.look();
            assert!(timeout(LONG, watch.changed()).await.unwrap().is_err());
            assert!(timeout(SHORT, watch.changed()).await.is_err());
        });
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dragoman.yaml");
        fs::write(&path, "whole").unwrap();
        run(async {
            let mut watch = Watch::new(path.clone());
            fs::write(&path, "cut").unwrap();
            watch.look();
            let writer = async {
                for length in 0..10 {
                    fs::write(&path, "x".repeat(length)).unwrap();
                    tokio::time::sleep(POLL / 3).await;
                }
                fs::write(&path, "done").unwrap();
            };
            let (content, ()) = tokio::join!(timeout(LONG, watch.changed()), writer);
            assert_eq!(content.unwrap().as_deref(), Ok("done"));
        });
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let mut watch = Watch::new(folder.path().to_owned());
            watch.look();
            let content = timeout(LONG, watch.changed()).await.unwrap();
            assert_eq!(content, Err("it is not a regular file".to_owned()));
        });
    }
}
