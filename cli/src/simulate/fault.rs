//! What can go wrong at a provider, asked for by the client.
//!
//! One grammar in two places. In the header: `x-simulate: status=429; retry-after=2`. In the model's name, after the
//! word `sim`: `sim-status-429-retry-after-2` or `gpt-4o-sim-reset-after-3`, which survives every gateway's rules for
//! names. Any punctuation separates words; the longest fault that matches the words wins; an unknown word is an error,
//! because a fault that silently does not happen makes a test pass.
//!
//! Times are milliseconds but for `retry-after`. "After n" counts stream events; a whole body counts as two, its
//! halves. Faults are applied in the order of [`Fault`]'s variants, whatever the order they are written in.

mod effect;

use std::fmt::Write as _;

use super::{complaint::Complaint, dialect::Stamp};
use effect::count;

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// So many of a hundred requests get the others.
    Chance(u64),
    // These choose the answer, before it is rendered.
    Status(u64),
    ContextLength,
    ContentPolicy,
    Quota,
    Refusal,
    ContentFilter,
    MalformedCall,
    NoUsage,
    // These change what was rendered.
    RetryAfter(u64),
    RetryAfterMs(u64),
    BigHeaders(u64),
    WrongType,
    Html,
    Empty,
    NoEnd,
    StopAfter(u64),
    ErrorAfter(u64),
    MalformedAfter(u64),
    Comments,
    // These change how it is sent.
    Gzip,
    CutAfter(u64),
    ResetAfter(u64),
    HangAfter(u64),
    Chunks(u64),
    Cuts(u64),
    Slow(u64),
    Stall(u64),
    Delay(u64),
    Reset,
    ResetHead,
    Hang,
}

struct Rule {
    name: &'static str,
    make: Make,
    help: &'static str,
}

enum Make {
    Plain(Fault),
    Counted(fn(u64) -> Fault),
}

const fn plain(name: &'static str, fault: Fault, help: &'static str) -> Rule {
    Rule { name, make: Make::Plain(fault), help }
}

const fn counted(name: &'static str, make: fn(u64) -> Fault, help: &'static str) -> Rule {
    Rule { name, make: Make::Counted(make), help }
}

const RULES: [Rule; 35] = [
    counted("chance", Fault::Chance, "let what else is asked for happen to n of a hundred requests"),
    counted("status", Fault::Status, "answer with this status and what providers say with it"),
    counted("retry-after", Fault::RetryAfter, "a retry-after header, in seconds"),
    counted("retry-after-ms", Fault::RetryAfterMs, "a retry-after-ms header"),
    plain("context-length", Fault::ContextLength, "400: the prompt is too long for the model"),
    plain("content-policy", Fault::ContentPolicy, "400: the prompt offends the content policy"),
    plain("quota", Fault::Quota, "429: the account has no quota left"),
    plain("refusal", Fault::Refusal, "the model refuses"),
    plain("content-filter", Fault::ContentFilter, "a filter ends the answer"),
    plain("malformed-call", Fault::MalformedCall, "the model fails to call a tool"),
    plain("no-usage", Fault::NoUsage, "leave the usage out"),
    plain("reset", Fault::Reset, "reset the connection before the answer"),
    plain("reset-head", Fault::ResetHead, "reset the connection in the middle of the head"),
    counted("reset-after", Fault::ResetAfter, "reset the connection after n events"),
    counted("cut-after", Fault::CutAfter, "close the connection after n events, in the middle of the message"),
    counted("stop-after", Fault::StopAfter, "end the message properly after n events"),
    plain("no-end", Fault::NoEnd, "leave out the event that ends a stream"),
    plain("hang", Fault::Hang, "never answer"),
    counted("hang-after", Fault::HangAfter, "fall silent after n events (0: after the head)"),
    counted("delay", Fault::Delay, "wait before the head"),
    counted("stall", Fault::Stall, "wait between the head and the body"),
    counted("slow", Fault::Slow, "wait between the pieces of the body"),
    plain("error-event", Fault::ErrorAfter(0), "an error as the only event of a 200 answer"),
    counted("error-after", Fault::ErrorAfter, "an error as the last event, after n others"),
    plain("malformed", Fault::MalformedAfter(0), "broken JSON as the answer or as its first event"),
    counted("malformed-after", Fault::MalformedAfter, "broken JSON as an event after n others"),
    plain("html", Fault::Html, "200 with a web page"),
    plain("empty", Fault::Empty, "200 with an empty body"),
    plain("wrong-type", Fault::WrongType, "the wrong content-type"),
    plain("comments", Fault::Comments, "a comment (where the framing has none, an empty line) before every event"),
    counted("big-headers", Fault::BigHeaders, "n KiB of headers more"),
    counted("chunks", Fault::Chunks, "send the body in pieces of n bytes"),
    counted("cuts", Fault::Cuts, "send the body cut at random places, n being the seed"),
    plain("gzip", Fault::Gzip, "send the body gzipped"),
    plain("ok", Fault::Status(200), "nothing"),
];

/// The table of faults, for people.
pub(super) fn help() -> String {
    let mut help = String::from(
        "Faults, in the header `x-simulate: status=429; retry-after=2` or in the model's name after the word `sim`, as in \
         `gpt-4o-sim-status-429-retry-after-2`:\n",
    );
    for Rule { name, make, help: line } in &RULES {
        let name = match make {
            Make::Plain(_) => (*name).to_owned(),
            Make::Counted(_) => format!("{name}=N"),
        };
        // Writing to a String cannot fail.
        let _infallible = writeln!(help, "  {name:18} {line}");
    }
    help
}

/// The faults that a model's name asks for.
pub(super) fn in_model(model: &str) -> Result<Vec<Fault>, Complaint> {
    let words = words(model);
    match words.iter().rposition(|word| word == "sim") {
        None => Ok(Vec::new()),
        Some(mark) => parse(words.get(mark.saturating_add(1)..).unwrap_or_default()),
    }
}

/// The faults that the header asks for.
pub(super) fn in_header(value: &str) -> Result<Vec<Fault>, Complaint> {
    parse(&words(value))
}

/// Takes all faults away where there is a chance of them and this request is spared.
pub(super) fn draw(faults: &mut Vec<Fault>, stamp: &Stamp) {
    let drawn = stamp.random.clone().below(100);
    if faults.iter().any(|fault| matches!(fault, Fault::Chance(percent) if drawn >= count(*percent))) {
        faults.clear();
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn parse(mut words: &[String]) -> Result<Vec<Fault>, Complaint> {
    let mut faults = Vec::new();
    while let Some(unknown) = words.first() {
        let longest = RULES.iter().filter_map(|rule| rule.read(words)).max_by_key(|(_, used)| *used);
        let Some((fault, used)) = longest else {
            let message = format!("Simulation: `{unknown}` begins no fault, or a number is missing. {}", help());
            return Err(Complaint::new(400, super::complaint::Reason::Malformed, message));
        };
        faults.push(fault);
        words = words.get(used..).unwrap_or_default();
    }
    Ok(faults)
}

impl Rule {
    /// The fault at the beginning of `words`, and how many of them it takes.
    fn read(&self, words: &[String]) -> Option<(Fault, usize)> {
        let mut used = 0_usize;
        for part in self.name.split('-') {
            words.get(used).filter(|word| *word == part)?;
            used = used.saturating_add(1);
        }
        match self.make {
            Make::Plain(fault) => Some((fault, used)),
            Make::Counted(make) => Some((make(words.get(used)?.parse().ok()?), used.saturating_add(1))),
        }
    }
}

impl Fault {
    /// The error that is answered instead, where this fault is one.
    pub(super) fn complaint(self) -> Option<Complaint> {
        if let Self::Status(status) = self {
            let status = u16::try_from(status).ok().filter(|status| (400..600).contains(status))?;
            return Some(Complaint::of_status(status));
        }
        let plain: [(Self, fn() -> Complaint); 3] = [
            (Self::ContextLength, Complaint::context_length),
            (Self::ContentPolicy, Complaint::content_policy),
            (Self::Quota, Complaint::quota),
        ];
        plain.iter().find(|(fault, _)| *fault == self).map(|(_, complaint)| complaint())
    }

    /// How long a client is told to wait.
    pub(super) fn retry_after_ms(self) -> Option<u64> {
        if let Self::RetryAfter(seconds) = self {
            return Some(seconds.saturating_mul(1000));
        }
        if let Self::RetryAfterMs(ms) = self { Some(ms) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::script::Random;

    #[test]
    fn the_header_and_the_models_name_say_the_same() {
        let faults = vec![Fault::Status(429), Fault::RetryAfter(2)];
        assert_eq!(in_header("status=429; retry-after=2"), Ok(faults.clone()));
        assert_eq!(in_header("Status: 429, retry-after 2"), Ok(faults.clone()));
        assert_eq!(in_model("openai/gpt-4o-sim-status-429-retry-after-2"), Ok(faults.clone()));
        assert_eq!(in_model("sim-status-429-retry-after-2"), Ok(faults));
    }

    #[test]
    fn the_longest_fault_wins() {
        assert_eq!(in_header("reset"), Ok(vec![Fault::Reset]));
        assert_eq!(in_header("reset-after-3"), Ok(vec![Fault::ResetAfter(3)]));
        assert_eq!(in_header("retry-after-ms-5"), Ok(vec![Fault::RetryAfterMs(5)]));
        assert_eq!(in_header("malformed comments"), Ok(vec![Fault::MalformedAfter(0), Fault::Comments]));
    }

    #[test]
    fn ordinary_models_have_no_faults() {
        for model in ["gpt-4o", "sim", "simple-reset", "claude-3-5-sonnet-20241022", ""] {
            assert_eq!(in_model(model), Ok(Vec::new()), "{model}");
        }
    }

    #[test]
    fn an_unknown_word_is_an_error_that_lists_the_faults() {
        for value in ["resset", "status", "status=x", "reset-after", "sim"] {
            assert!(in_header(value).unwrap_err().message.contains("retry-after-ms=N"), "{value}");
        }
    }

    #[test]
    fn a_chance_spares_the_rest() {
        let struck = |percent: u64| {
            let strikes = (0..1000).filter(|seed| {
                let mut faults = vec![Fault::Chance(percent), Fault::Hang];
                draw(&mut faults, &Stamp { created: 0, random: Random::new(*seed) });
                faults.contains(&Fault::Hang)
            });
            strikes.count()
        };
        assert_eq!((struck(0), struck(100)), (0, 1000));
        assert!((250..350).contains(&struck(30)), "{}", struck(30));
    }

    #[test]
    fn every_rule_is_read_by_its_own_name() {
        for rule in &RULES {
            let (value, expected) = match rule.make {
                Make::Plain(fault) => (rule.name.to_owned(), fault),
                Make::Counted(make) => (format!("{}=7", rule.name), make(7)),
            };
            assert_eq!(in_header(&value), Ok(vec![expected]), "{value}");
        }
    }
}
