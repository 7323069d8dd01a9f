//! Notices that the configuration file has changed and stands still.
//!
//! It is looked at again and again, by its path: editors, `git` and mounted volumes replace a file in ways that a watch on the
//! file itself does not survive. A look is a `stat`; the file is read when that tells of another, while a change is waited out, and
//! every few seconds regardless, because times on disk are too coarse for two edits in a row. An editor that writes in place
//! leaves a file cut short for a moment, which may be a good one that lacks its last keys. So a change counts when it was read twice
//! in a row, and so does what is looked at because somebody asked.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::OFlags;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::document;

const POLL: Duration = Duration::from_millis(150);
/// A second edit within a tick of the disk's clock, of the same length, is noticed after this.
const REREAD: Duration = Duration::from_secs(5);

/// The text, or why there is none.
pub(super) type Content = Result<String, String>;

pub(super) struct Watch {
    path: PathBuf,
    polls: Interval,
    /// What was last handed out.
    known: Content,
    /// What was last read.
    last: Content,
    /// Of which file that was; none where there was none to read.
    stamp: Option<Stamp>,
    read_at: Instant,
    /// Whether what is there is to be handed out even if it is known.
    is_asked: bool,
}

/// What two files, or two states of one, have in common only by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds: of the content, then of the file.
    changed: [(i64, i64); 2],
}

impl Watch {
    /// Begins with what the file is now. Within a runtime only.
    pub(super) fn new(path: PathBuf) -> Self {
        let (stamp, known) = read(&path);
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { path, polls, last: known.clone(), known, stamp, read_at: Instant::now(), is_asked: false }
    }

    /// Waits for other content than that which was handed out last, or for any after [`Self::look`]. May be dropped and called
    /// again.
    pub(super) async fn changed(&mut self) -> Content {
        loop {
            self.polls.tick().await;
            let is_open = self.is_asked || self.last != self.known;
            if !is_open && self.stands() {
                continue;
            }
            let before = self.read();
            if self.last == before && (self.is_asked || self.last != self.known) {
                self.is_asked = false;
                self.known.clone_from(&self.last);
                return before;
            }
        }
    }

    /// Has what is there handed out, changed or not, once it stands still.
    pub(super) fn look(&mut self) {
        // Asked again meanwhile, the answer would only be put off.
        if !self.is_asked {
            self.is_asked = true;
            let _ = self.read();
            self.polls.reset();
        }
    }

    /// Whether the file seems to be what was last read.
    fn stands(&self) -> bool {
        let is_same = self.stamp.is_some() && self.stamp == fs::metadata(&self.path).ok().map(|file| Stamp::of(&file));
        is_same && self.read_at.elapsed() < REREAD
    }

    /// Reads what is there, and gives back what was.
    fn read(&mut self) -> Content {
        self.read_at = Instant::now();
        let (stamp, now) = read(&self.path);
        self.stamp = stamp;
        std::mem::replace(&mut self.last, now)
    }
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            changed: [(file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec())],
        }
    }
}

/// The stamp is the older of the two: what is written between them is noticed.
fn read(path: &Path) -> (Option<Stamp>, Content) {
    match open(path) {
        Ok((stamp, file)) => (Some(stamp), document::text(file)),
        Err(error) => (None, Err(error.to_string())),
    }
}

fn open(path: &Path) -> io::Result<(Stamp, File)> {
    // A pipe is opened without waiting for a writer; what it is can only be asked of what is open.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((Stamp::of(&metadata), file))
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};
    use tokio::time::timeout;

    use super::*;

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
    fn what_is_no_file_is_not_read_and_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        run(async {
            for path in [folder.path(), &pipe] {
                let mut watch = Watch::new(path.to_owned());
                watch.look();
                let content = timeout(LONG, watch.changed()).await.unwrap();
                assert_eq!(content, Err("it is not a regular file".to_owned()));
            }
        });
    }

    #[test]
    fn a_file_that_stands_is_not_read_until_long_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dragoman.yaml");
        fs::write(&path, "one").unwrap();
        run(async {
            let mut watch = Watch::new(path.clone());
            assert!(watch.stands());
            fs::write(&path, "two").unwrap();
            assert!(!watch.stands());
            // As if the clock of the disk had not moved meanwhile.
            watch.stamp = Some(Stamp::of(&fs::metadata(&path).unwrap()));
            assert!(watch.stands());
            assert!(timeout(SHORT, watch.changed()).await.is_err());
            watch.read_at -= REREAD;
            assert_eq!(timeout(LONG, watch.changed()).await.unwrap().as_deref(), Ok("two"));
        });
    }
}
