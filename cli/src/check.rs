//! `dragoman check`: what a good file amounts to, in a few lines. A bad one never gets here.

use std::{env, fmt::Write, path::Path};

use dragoman_core::{
    auth::Caller,
    config::{BaseUrl, Budgets, Config, Environment, Key, Limit, Problem, Router, Silence, Team, step},
    gateway::Gateway,
};

use crate::{
    document::Document,
    pending::{self, Pending},
    render::{scheme, shared},
};

/// The summary of a file without problems. Credentials that are not set are named: their accounts would be skipped.
#[must_use]
pub fn summarize(path: &Path, document: &Document) -> String {
    let Document { config, additions } = document;
    let mut text = String::new();
    let listen = &config.listen;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}: ok", path.display());
    let _ = writeln!(text, "  listens on {}, admin on {}", listen.address, listen.admin);
    for provider in &config.providers {
        let url = &provider.base_url;
        let state = if provider.enabled { "" } else { " (disabled)" };
        let _ = writeln!(text, "  provider {} at {}{}{state}", provider.name, scheme::origin(url), url.path);
        for account in &provider.accounts {
            if let Err(missing) = account.secret(environment) {
                let _ = writeln!(text, "    account {} is not configured: {missing}", account.name);
            }
        }
        if let Some(missing) = provider.missing(environment) {
            let _ = writeln!(text, "    it would not be asked: {missing}");
        }
    }
    for Pending { pointer, silence } in pending::find(config) {
        let refused = if silence == Silence::Unsafe { "; until it is, `up` and `render` refuse the file" } else { "" };
        let problem = Problem { pointer, message: format!("is not acted on yet{refused}") };
        let _ = writeln!(text, "  warning: {}", additions.explain(problem));
    }
    for Problem { pointer, message } in shared::mistakes(config) {
        let message = format!("{message}; `up` and `render` refuse the file");
        let _ = writeln!(text, "  warning: {}", additions.explain(Problem { pointer, message }));
    }
    for problem in shared::local(config) {
        let _ = writeln!(text, "  warning: {}", additions.explain(problem));
    }
    for pointer in borrowed_credentials(config) {
        let _ = writeln!(text, "  warning: {pointer}: gets the credential of the top level; write one beside it");
    }
    for pointer in evadable_limits(config) {
        let why =
            "stands in for what the file limits; a key that is bound to no environment may choose between the two";
        let _ = writeln!(text, "  warning: {pointer}: {why}");
    }
    for (pointer, meaningless) in names_without_meaning(config) {
        let _ = writeln!(text, "  warning: {pointer}: {meaningless}");
    }
    let required = config.requires_keys();
    let _ = writeln!(
        text,
        "  keys: {}; {}",
        config.all_keys().count(),
        if required { "one is required" } else { "none is required" }
    );
    text
}

/// One line for each provider that would not be asked, and why.
pub fn unconfigured(config: &Config) -> impl Iterator<Item = String> {
    let enabled = config.providers.iter().filter(|provider| provider.enabled);
    enabled.filter_map(|provider| {
        let missing = provider.missing(environment)?;
        Some(format!("the provider {} is not configured and will not be asked: {missing}", provider.name))
    })
}

/// One line for each field that is written and not acted on, and may be ignored.
pub fn ignored(Document { config, additions }: &Document) -> impl Iterator<Item = String> {
    let harmless = pending::find(config).into_iter().filter(|pending| pending.silence == Silence::Harmless);
    harmless.map(|Pending { pointer, .. }| {
        additions.explain(Problem { pointer, message: "is not acted on yet".into() }).to_string()
    })
}

/// One line where variables add a provider: it is asked for models, and paid for, though no file speaks of it.
#[must_use]
pub fn added(path: &Path, Document { config, additions }: &Document) -> Option<String> {
    let variables = additions.provider().join(" and ");
    let provider = config.providers.iter().find(|provider| provider.name == "default")?;
    let others =
        if config.providers.len() > 1 { format!(", beside those of {}", path.display()) } else { String::new() };
    let BaseUrl { path, .. } = &provider.base_url;
    let line =
        || format!("the provider `default`, {}{path}, is from {variables}{others}", scheme::origin(&provider.base_url));
    (!variables.is_empty()).then(line)
}

/// The addresses of environments that are asked with what was written for others.
fn borrowed_credentials(config: &Config) -> Vec<String> {
    let has_one = |name: &str| {
        let named = config.providers.iter().filter(|provider| provider.name == name);
        named.flat_map(|provider| &provider.accounts).any(|account| account.credential.is_some())
    };
    let mut found = Vec::new();
    for Environment { name, providers, .. } in &config.environments {
        for other in providers.iter().filter(|other| other.base_url.is_some()) {
            if other.credential.is_none() && other.accounts.is_none() && has_one(&other.name) {
                found.push(format!("/environments{}/providers{}/base_url", step(name), step(&other.name)));
            }
        }
    }
    found
}

/// What an environment limits in another way than the file does, where a request may choose the environment.
fn evadable_limits(config: &Config) -> Vec<String> {
    let may_choose = |key: &&Key| key.environment.is_none();
    let tokens = config.auth.jwt.as_ref();
    let is_open = !config.requires_keys() || tokens.is_some() || config.keys.iter().any(|key| may_choose(&key));
    let has_members = |team: &str| {
        let mut keys = config.keys.iter().filter(may_choose);
        tokens.is_some_and(|jwt| jwt.claims.team.is_some()) || keys.any(|key| key.team.as_deref() == Some(team))
    };
    let mut found = Vec::new();
    for Environment { name, limits, teams, routers, .. } in &config.environments {
        let at = format!("/environments{}", step(name));
        let is_own = |limit: &Limit| config.limits.iter().any(|other| other.name == limit.name && other.enabled);
        let limits = limits.iter().enumerate().filter(|(_, limit)| is_open && is_own(limit));
        found.extend(limits.map(|(place, _)| format!("{at}/limits/{place}")));
        let has_budgets = |team: &Team| {
            config.teams.iter().any(|other| other.name == team.name && other.budgets != Budgets::default())
        };
        let teams = teams.iter().filter(|team| has_members(&team.name) && has_budgets(team));
        found.extend(teams.map(|team| format!("{at}/teams{}", step(&team.name))));
        let is_paced = |router: &Router| {
            let mut others = config.routers.iter().filter(|other| other.name == router.name);
            others.any(|other| other.rate_limit.per_api_key.is_some())
        };
        let routers = routers.iter().filter(|router| is_open && is_paced(router));
        found.extend(routers.map(|router| format!("{at}/routers{}", step(&router.name))));
    }
    found
}

/// The places that name a model which nobody could be asked for, whatever the environment holds, and why.
fn names_without_meaning(config: &Config) -> Vec<(String, String)> {
    let gateway = Gateway::new(config, |_| Some("set".into()));
    let owners = config.models.iter().filter_map(|model| {
        let (owner, _) = model.name.split_once('/')?;
        let exists = config.providers.iter().any(|provider| provider.name == owner);
        let pointer = format!("/models{}", step(&model.name));
        (!exists).then(|| (pointer, format!("There is no provider `{owner}`.")))
    });
    let aliases = config.aliases.iter().flat_map(|(alias, models)| {
        let pointer = format!("/aliases{}", step(alias));
        models.iter().map(move |model| (pointer.clone(), model))
    });
    let default = config.auto.default_model.iter().map(|model| ("/auto/default_model".to_owned(), model));
    let named = aliases.chain(default).filter_map(|(pointer, model)| {
        let error = gateway.catalogue.resolve(model, &Caller::Anonymous).err()?;
        Some((pointer, error.message))
    });
    owners.chain(named).collect()
}

/// What the module would find there: it reads UTF-8 only.
fn environment(name: &str) -> Option<String> {
    env::var(name).ok()
}
