//! The simulated model behind the wire: from a recorded request to the script of its answer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::{HeaderMap, StatusCode};

use super::{
    answer::Answer,
    complaint::{Complaint, Reason},
    dialect::{Dialect, Route, Stamp, route},
    fault::{self, Fault},
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
}

impl Model {
    pub(super) fn new(pause: Duration, require_key: Option<String>, clock: fn() -> u64) -> Self {
        Self { pause, require_key, clock, answered: AtomicU64::new(0) }
    }

    /// The answer to a request.
    pub(super) fn answer(&self, request: &Request) -> Script {
        let (dialect, route) = route(&request.method, request.uri.path());
        let stamp =
            Stamp { created: (self.clock)(), random: Random::new(self.answered.fetch_add(1, Ordering::Relaxed)) };
        let mut faults = Vec::new();
        let reply = self.reply(request, dialect, route, &stamp, &mut faults);
        let mut script = reply.unwrap_or_else(|complaint| {
            let status = StatusCode::from_u16(complaint.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Script::whole(status, "application/json", dialect.complaint(&complaint))
        });
        script.headers.extend(dialect.headers(&stamp));
        faults.sort_unstable();
        faults.into_iter().fold(script, |script, fault| fault.bend(script, dialect))
    }

    fn reply(
        &self,
        request: &Request,
        dialect: &dyn Dialect,
        route: Route<'_>,
        stamp: &Stamp,
        faults: &mut Vec<Fault>,
    ) -> Result<Script, Complaint> {
        self.check_key(&request.headers, dialect)?;
        let path = request.uri.path();
        let method = &request.method;
        if let Some(value) = request.header("x-simulate") {
            faults.extend(fault::in_header(value)?);
        }
        match route {
            Route::Unknown => Err(Complaint::new(404, Reason::WrongPath, format!("Invalid URL ({method} {path})"))),
            Route::WrongMethod => {
                let message = format!("Not allowed to {method} on {path}.");
                Err(Complaint::new(405, Reason::WrongMethod, message))
            }
            Route::Models(one) => {
                refused(faults)?;
                Ok(Script::whole(StatusCode::OK, "application/json", dialect.models(one)?))
            }
            Route::Chat => self.chat(&request.body, dialect, stamp, faults),
        }
    }

    fn chat(
        &self,
        body: &[u8],
        dialect: &dyn Dialect,
        stamp: &Stamp,
        faults: &mut Vec<Fault>,
    ) -> Result<Script, Complaint> {
        let question = dialect.read(body)?;
        faults.extend(fault::in_model(&question.model)?);
        refused(faults)?;
        let mut answer = Answer::to(&question);
        if faults.contains(&Fault::Refusal) {
            answer.refuse();
        }
        if faults.contains(&Fault::ContentFilter) {
            answer.filter();
        }
        if faults.contains(&Fault::NoUsage) {
            answer.usage = None;
        }
        Ok(if question.stream.is_some() {
            Script::events(dialect.stream(&question, &answer, stamp)).paced(self.pause)
        } else {
            Script::whole(StatusCode::OK, "application/json", dialect.whole(&question, &answer, stamp))
        })
    }

    fn check_key(&self, headers: &HeaderMap, dialect: &dyn Dialect) -> Result<(), Complaint> {
        let Some(required) = &self.require_key else { return Ok(()) };
        match dialect.key(headers) {
            Some(key) if key == required.as_bytes() => Ok(()),
            Some(_) => Err(Complaint::of_status(401)),
            None => {
                let message = "You didn't provide an API key. You need to provide it in an Authorization header using \
                               Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
                Err(Complaint::new(401, Reason::NoKey, message))
            }
        }
    }
}

fn refused(faults: &[Fault]) -> Result<(), Complaint> {
    faults.iter().find_map(|fault| fault.complaint()).map_or(Ok(()), Err)
}
