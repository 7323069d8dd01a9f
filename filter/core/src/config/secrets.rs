//! Every place of the file where a secret may stand that the module needs: whoever hands over a configuration goes through all of
//! them. The one that it does not need, and so never gets, is that of tokens, which Envoy verifies.

use super::{
    key::KeyRouting,
    raw::{Account, Config, Credential, Key},
    router::Router,
    routing::{Destination, Routing, Strategy, Target},
};

/// A place, by what its secret is called: its kind, whose it is, and which.
type Place<'p> = [&'p str; 3];

type Visit<'v> = &'v mut dyn FnMut(Place<'_>, &mut Credential);

impl Config {
    /// Calls `visit` with each credential of the document that the module uses, headers of providers included: which of them are secret cannot be
    /// told.
    pub fn visit_credentials(&mut self, visit: Visit<'_>) {
        for provider in &mut self.providers {
            visit_accounts(&provider.name, &mut provider.accounts, visit);
            for (header, secret) in &mut provider.headers {
                visit(["HEADER", &provider.name, header], secret);
            }
        }
        visit_keys(&mut self.keys, visit);
        visit_routing(&mut self.routing, visit);
        visit_routers(&mut self.routers, visit);
        for environment in &mut self.environments {
            for provider in &mut environment.providers {
                if let Some(secret) = &mut provider.credential {
                    visit(["CREDENTIAL", &environment.name, &provider.name], secret);
                }
                visit_accounts(&provider.name, provider.accounts.as_deref_mut().unwrap_or_default(), visit);
            }
            visit_keys(&mut environment.keys, visit);
            visit_routing(&mut environment.routing, visit);
            visit_routers(&mut environment.routers, visit);
        }
    }
}

fn visit_accounts(provider: &str, accounts: &mut [Account], visit: Visit<'_>) {
    for account in accounts {
        if let Some(secret) = &mut account.credential {
            visit(["CREDENTIAL", provider, &account.name], secret);
        }
    }
}

fn visit_keys(keys: &mut [Key], visit: Visit<'_>) {
    for key in keys {
        for (provider, secret) in &mut key.byok.credentials {
            visit(["BYOK", &key.id, provider], secret);
        }
        if let Some(KeyRouting::Inline(strategy)) = &mut key.routing {
            visit_strategy(&key.id, strategy, visit);
        }
    }
}

fn visit_routing(routing: &mut Routing, visit: Visit<'_>) {
    for (name, strategy) in routing {
        visit_strategy(name, strategy, visit);
    }
}

fn visit_routers(routers: &mut [Router], visit: Visit<'_>) {
    for router in routers {
        let balance = &mut router.load_balance;
        for strategy in [&mut balance.chat, &mut balance.embeddings, &mut balance.images].into_iter().flatten() {
            visit_strategy(&router.name, strategy, visit);
        }
    }
}

fn visit_strategy(owner: &str, strategy: &mut Strategy, visit: Visit<'_>) {
    let then = strategy.rules.iter_mut().flat_map(|rule| &mut rule.then);
    let targets = strategy.targets.iter_mut().chain(then).chain(&mut strategy.otherwise);
    for Target { destination, .. } in targets {
        match destination {
            Destination::Model { credential, provider, model, .. } => {
                let target = provider.as_deref().or(model.as_deref()).unwrap_or_default();
                if let Some(secret) = credential {
                    visit(["TARGET", owner, target], secret);
                }
            }
            Destination::Routing(_) => {}
            Destination::Strategy(strategy) => visit_strategy(owner, strategy, visit),
        }
    }
}
