//! What a fault makes of an answer that is ready to be sent.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::Fault;
use crate::simulate::{
    complaint::Complaint,
    dialect::{Dialect, Stamp},
    gzip::gzip,
    script::{Finish, Opening, Piece, Script},
};

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1>\n\
                    <p>The server returned an invalid response.</p></body></html>\n";
/// Time for the peer to read what came before a reset: some stacks drop what was received and not yet read.
const BEFORE_RESET: Duration = Duration::from_millis(10);
/// Enough for the status line and a part of the first header.
const TORN_HEAD_BYTES: usize = 24;

impl Fault {
    /// Bends a rendered answer.
    pub(in crate::simulate) fn bend(self, script: Script, dialect: &dyn Dialect, stamp: &Stamp) -> Script {
        let millis = Duration::from_millis;
        match self {
            Self::Status(status) => with_status(script, status),
            Self::RetryAfter(seconds) => script.with(header::RETRY_AFTER, HeaderValue::from(seconds)),
            Self::RetryAfterMs(ms) => script.with(HeaderName::from_static("retry-after-ms"), HeaderValue::from(ms)),
            Self::BigHeaders(kib) => with_big_headers(script, kib),
            Self::WrongType => script.with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
            Self::Html => Script { headers: script.headers, ..Script::whole(StatusCode::OK, "text/html", HTML) }
                .with(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
                .with(header::CONTENT_LENGTH, HeaderValue::from(HTML.len())),
            Self::Empty => Script { body: Vec::new(), ..script }.measured(),
            Self::NoEnd if script.is_stream() => first(script, usize::MAX, 1).measured(),
            Self::NoEnd
            | Self::Chance(_)
            | Self::ContextLength
            | Self::ContentPolicy
            | Self::Quota
            | Self::Refusal
            | Self::ContentFilter
            | Self::MalformedCall
            | Self::NoUsage => script,
            Self::StopAfter(events) => first(script, count(events), 0).measured(),
            Self::ErrorAfter(events) => with_error(script, count(events), dialect, stamp),
            Self::MalformedAfter(events) => malformed(script, count(events)),
            Self::Comments => with_comments(script),
            Self::Gzip => gzipped(script),
            Self::CutAfter(events) => first(script, count(events), 0).ending(Finish::Cut),
            Self::ResetAfter(events) => {
                let mut script = first(script, count(events), 0).ending(Finish::Reset);
                script.body.push(Piece::silence(BEFORE_RESET));
                script
            }
            Self::HangAfter(events) => first(script, count(events), 0).ending(Finish::Hang),
            Self::Chunks(size) => script.in_pieces_of(count(size)),
            Self::Cuts(seed) => script.cut_at_random(seed),
            Self::Slow(ms) => script.paced(millis(ms)),
            Self::Stall(ms) => {
                let mut script = script;
                script.body.insert(0, Piece::silence(millis(ms)));
                script
            }
            Self::Delay(ms) => script.delayed(millis(ms)),
            Self::Reset => script.opening(Opening::Reset),
            Self::ResetHead => script.opening(Opening::Torn(TORN_HEAD_BYTES)),
            Self::Hang => script.opening(Opening::Hang),
        }
    }
}

pub(super) fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The first `count` events but for the last `but` of all.
fn first(mut script: Script, count: usize, but: usize) -> Script {
    if !script.is_stream() {
        let body = script.bytes();
        let half = body.len() / 2;
        script.body = vec![Piece::new(body.slice(..half)), Piece::new(body.slice(half..))];
    }
    let kept = script.body.len().saturating_sub(but).min(count);
    script.body.truncate(kept);
    script
}

/// Statuses of success; those of failure were answered with a complaint, which has its status.
fn with_status(mut script: Script, status: u64) -> Script {
    if let Some(status) = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok())
        && !status.is_informational()
    {
        script.status = status;
        if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            script.body.clear();
            script.headers.remove(header::CONTENT_LENGTH);
        }
    }
    script
}

fn with_big_headers(mut script: Script, kib: u64) -> Script {
    let value = HeaderValue::from_str(&"x".repeat(1000));
    for index in 0..kib.min(1024) {
        if let (Ok(name), Ok(value)) = (format!("x-simulated-{index:04}").parse::<HeaderName>(), &value) {
            script.headers.insert(name, value.clone());
        }
    }
    script
}

fn with_error(mut script: Script, after: usize, dialect: &dyn Dialect, stamp: &Stamp) -> Script {
    let overloaded = Complaint::of_status(503);
    let complaint = dialect.word(overloaded.clone()).unwrap_or(overloaded);
    if script.is_stream() {
        script.body.truncate(after);
        script.body.push(Piece::new(dialect.complaint_event(&complaint, stamp, after == 0)));
        script
    } else {
        script.body = vec![Piece::new(dialect.complaint(&complaint, stamp))];
        script.measured()
    }
}

fn malformed(mut script: Script, after: usize) -> Script {
    if !script.is_stream() {
        return first(script, 1, 0).measured();
    }
    if let Some(piece) = script.body.get_mut(after) {
        piece.bytes = torn(&piece.bytes).into();
    }
    script
}

/// An event with the second half of its JSON missing, framed as before.
fn torn(event: &[u8]) -> Vec<u8> {
    let begin = event.iter().position(|byte| *byte == b'{').unwrap_or(0);
    let end = event.trim_ascii_end().len();
    let half = begin.saturating_add(end.saturating_sub(begin) / 2);
    let (kept, framing) = (event.get(..half), event.get(end..));
    [kept.unwrap_or_default(), framing.unwrap_or_default()].concat()
}

/// White space stands in for comments in framings that have none.
fn with_comments(mut script: Script) -> Script {
    if script.is_stream() {
        let comment: &[u8] = if script.is_sse() { b": ping\n\n" } else { b"\n" };
        for piece in &mut script.body {
            piece.bytes = [comment, piece.bytes.as_ref()].concat().into();
        }
    }
    script
}

fn gzipped(mut script: Script) -> Script {
    let pieces = gzip(script.body.iter().map(|piece| piece.bytes.as_ref()));
    script.body.resize_with(pieces.len(), Piece::default);
    for (piece, bytes) in script.body.iter_mut().zip(pieces) {
        piece.bytes = bytes.into();
    }
    script.with(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")).measured()
}
