//! The root context: one a role, a configuration and a worker.

use std::{rc::Rc, time::Duration};

use dragoman_core::{change::Current, config::Plugin};
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::ContextType,
};

use crate::{
    admin::{self, AdminStream},
    alarm::Alarms,
    attempt::AttemptStream,
    host,
    ingress::IngressStream,
    observer::{self, Tail},
    renewals::Renewals,
    watch::Watch,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Root {
    id: u32,
    role: Option<Role>,
    ticking: Rc<Ticking>,
}

/// What a root context's tick is for; its streams ask for it.
#[derive(Debug)]
pub(crate) struct Ticking {
    pub(crate) watch: Watch,
    pub(crate) alarms: Alarms,
    pub(crate) tail: Tail,
    pub(crate) renewals: Renewals,
}

#[derive(Debug)]
enum Role {
    Ingress(Rc<Current>),
    Attempt,
    Admin,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        let ticking = Ticking {
            watch: Watch::new(id),
            alarms: Alarms::new(id),
            tail: Tail::new(id),
            renewals: Renewals::new(id),
        };
        Self { id, role: None, ticking: Rc::new(ticking) }
    }
}

impl Context for Root {
    /// Of a call that was made in a tick.
    fn on_http_call_response(&mut self, call: u32, headers: usize, length: usize, _: usize) {
        self.ticking.alarms.claim(call, headers, length);
    }
}

impl RootContext for Root {
    /// False keeps Envoy on the configuration before this one, or from starting.
    fn on_configure(&mut self, length: usize) -> bool {
        let document = host::plugin_configuration(length);
        let parsed = match std::str::from_utf8(&document) {
            Ok(text) => Plugin::parse(text),
            Err(error) => {
                log::error!("configuration refused: not UTF-8 at byte {}", error.valid_up_to());
                return false;
            }
        };
        match parsed {
            Ok(plugin) => {
                self.role = Some(match plugin {
                    Plugin::Ingress(config) => {
                        let file = std::str::from_utf8(&document).map(Plugin::document).unwrap_or_default();
                        let surroundings = (&observer::latest(), observer::configure as fn(&_));
                        let current = Rc::new(Current::new(file, *config, host::environment, surroundings));
                        admin::configure(&current);
                        Role::Ingress(current)
                    }
                    Plugin::Attempt => Role::Attempt,
                    Plugin::Admin => Role::Admin,
                });
                true
            }
            Err(problems) => {
                for problem in problems {
                    log::error!("configuration refused: {problem}");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let Ticking { watch, alarms, tail, renewals } = &*self.ticking;
        let needed = [watch.tick(), alarms.tick(), tail.tick(), renewals.tick()];
        if !needed.contains(&true) {
            host::set_tick(self.id, self.id, Duration::ZERO);
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        let ticking = Rc::clone(&self.ticking);
        Some(match &self.role {
            Some(Role::Ingress(current)) => Box::new(IngressStream::new(id, current.gateway(), ticking)),
            Some(Role::Admin) => Box::new(AdminStream::new(id)),
            // Without a configuration there is no plan either: the attempt answers that it has none.
            Some(Role::Attempt) | None => Box::new(AttemptStream::new(id, ticking)),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
