//! The simulated model behind the wire: from a recorded request to the script of its answer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::StatusCode;

use super::{
    answer::Answer,
    complaint::{Complaint, Reason},
    dialect::{Dialect, ErrandBody, Route, Stamp, route},
    fault::{self, Fault},
    memory::Memory,
    question::Question,
    record::Request,
    script::{Random, Script},
};

/// The model, with what does not depend on a request.
#[derive(Debug)]
pub(super) struct Model {
    pause: Duration,
    require_key: Option<String>,
    clock: fn() -> u64,
    answered: AtomicU64,
    memory: Memory,
}

impl Model {
    pub(super) fn new(pause: Duration, require_key: Option<String>, clock: fn() -> u64) -> Self {
        Self { pause, require_key, clock, answered: AtomicU64::new(0), memory: Memory::default() }
    }

    /// The answer to a request.
    pub(super) fn answer(&self, request: &Request) -> Script {
        let (dialect, route) = route(request);
        let stamp =
            Stamp { created: (self.clock)(), random: Random::new(self.answered.fetch_add(1, Ordering::Relaxed)) };
        let mut faults = Vec::new();
        let reply = self.reply(request, dialect, route, &stamp, &mut faults);
        let mut script = reply.unwrap_or_else(|mut complaint| {
            complaint.retry_after_ms = faults.iter().find_map(|fault| fault.retry_after_ms());
            let status = StatusCode::from_u16(complaint.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Script::whole(status, dialect.content_type(), dialect.complaint(&complaint, &stamp))
        });
        script.headers.extend(dialect.headers(&stamp));
        faults.sort_unstable();
        faults.into_iter().fold(script, |script, fault| fault.bend(script, dialect, &stamp))
    }

    fn reply(
        &self,
        request: &Request,
        dialect: &dyn Dialect,
        route: Route<'_>,
        stamp: &Stamp,
        faults: &mut Vec<Fault>,
    ) -> Result<Script, Complaint> {
        self.check_key(request, dialect)?;
        let path = request.uri.path();
        let method = &request.method;
        if let Some(value) = request.header("x-simulate") {
            faults.extend(fault::in_header(value)?);
        }
        let whole = |body| Script::whole(StatusCode::OK, dialect.content_type(), body);
        match route {
            Route::Unknown => Err(Complaint::new(404, Reason::WrongPath, format!("Invalid URL ({method} {path})"))),
            Route::WrongMethod => {
                let message = format!("Not allowed to {method} on {path}.");
                Err(Complaint::new(405, Reason::WrongMethod, message))
            }
            Route::Models(one) => {
                fault::draw(faults, stamp);
                refused(faults, dialect)?;
                Ok(whole(dialect.models(one)?))
            }
            Route::Errand(run) => {
                let errand = run(request, stamp, &self.memory)?;
                faults.extend(fault::in_model(&errand.model)?);
                fault::draw(faults, stamp);
                refused(faults, dialect)?;
                Ok(match errand.body {
                    ErrandBody::Whole(body) => Script::whole(StatusCode::OK, errand.content_type, body),
                    ErrandBody::Stream(events) => Script::stream(errand.content_type, events).paced(self.pause),
                })
            }
            Route::CountTokens => {
                let question = self.asked(request, dialect, stamp, faults)?;
                Ok(whole(dialect.count(&question)))
            }
            Route::Chat => {
                let question = self.asked(request, dialect, stamp, faults)?;
                let answer = answered(&question, faults);
                dialect.keep(&question, &answer, stamp, &self.memory);
                Ok(if question.stream.is_some() {
                    Script::stream(dialect.stream_type(), dialect.stream(&question, &answer, stamp)).paced(self.pause)
                } else {
                    whole(dialect.whole(&question, &answer, stamp))
                })
            }
        }
    }

    fn check_key(&self, request: &Request, dialect: &dyn Dialect) -> Result<(), Complaint> {
        match (dialect.key(request), &self.require_key) {
            (Some(given), Some(required)) if given != required.as_bytes() => Err(dialect.wrong_key()),
            (None, Some(_)) => Err(dialect.no_key()),
            (None, None) if dialect.always_wants_a_key() => Err(dialect.no_key()),
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    /// What a request asks, once nothing stands in the way of an answer.
    fn asked(
        &self,
        request: &Request,
        dialect: &dyn Dialect,
        stamp: &Stamp,
        faults: &mut Vec<Fault>,
    ) -> Result<Question, Complaint> {
        let question = dialect.read(request, &self.memory)?;
        faults.extend(fault::in_model(&question.model)?);
        fault::draw(faults, stamp);
        refused(faults, dialect)?;
        Ok(question)
    }
}

fn refused(faults: &[Fault], dialect: &dyn Dialect) -> Result<(), Complaint> {
    let complaint = faults.iter().find_map(|fault| fault.complaint());
    complaint.and_then(|complaint| dialect.word(complaint)).map_or(Ok(()), Err)
}

fn answered(question: &Question, faults: &[Fault]) -> Answer {
    let mut answer = Answer::to(question);
    if faults.contains(&Fault::Refusal) {
        answer.refuse();
    }
    if faults.contains(&Fault::ContentFilter) {
        answer.filter();
    }
    if faults.contains(&Fault::MalformedCall) {
        answer.fail_to_call();
    }
    if faults.contains(&Fault::ContentPolicy) {
        answer.block();
    }
    if faults.contains(&Fault::NoUsage) {
        answer.usage = None;
    }
    answer
}
