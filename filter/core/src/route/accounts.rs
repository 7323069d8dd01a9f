//! A model of a provider is asked for with the provider's accounts, one after the other, or with the one that is meant.

use alloc::{format, rc::Rc, vec::Vec};

use super::{
    candidate::Candidate,
    chance::{Chance, race},
    node::Leaf,
    strategy::ordered,
};
use crate::{
    account::Account,
    auth::Caller,
    catalogue::Choice,
    error::{Error, Kind},
    plan::Target,
};

/// Adds the accounts of a model that can be used, by weight. What a target brings goes before what the caller brings, and either
/// takes the place of all that the provider has.
pub(super) fn add<'a>(
    choice: Choice<'a>,
    leaf: Option<&Leaf>,
    caller: &Caller,
    chance: &Chance<'_>,
    found: &mut Vec<Candidate<'a>>,
) -> Result<(), Error> {
    let provider = choice.provider;
    let pinned = leaf.and_then(|leaf| leaf.account.as_ref());
    let own = leaf.and_then(|leaf| leaf.own.as_ref());
    let brought =
        own.into_iter().flatten().filter(|(owner, _)| Rc::ptr_eq(owner, provider)).map(|(_, account)| account);
    let callers = caller.brought(&provider.name).filter(|_| own.is_none());
    let kept = (own.is_none() && callers.is_none()).then_some(&provider.accounts).into_iter().flatten();
    let kept = kept.filter(|account| pinned.is_none_or(|name| account.name == *name));

    let mut refused = None;
    let mut usable = brought.chain(callers).chain(kept).filter(|account| match check(account, &choice) {
        Ok(()) => true,
        Err(error) => {
            refused.get_or_insert(error);
            false
        }
    });
    let (first, others) = (usable.next(), usable.collect::<Vec<_>>());
    let Some(first) = first else {
        let missing = || {
            let which = pinned.map_or_else(|| "fitting account".into(), |name| format!("account `{name}`"));
            unavailable(format!("The provider `{}` has no {which}.", provider.name))
        };
        return Err(refused.unwrap_or_else(missing));
    };
    if others.is_empty() {
        found.push(candidate(choice, first));
        return Ok(());
    }
    let accounts: Vec<_> = [first].into_iter().chain(others).collect();
    let ranks: Vec<_> = accounts.iter().map(|account| race(chance.draw(), account.weight)).collect();
    found.extend(ordered(accounts, &ranks).into_iter().map(|account| candidate(choice, account)));
    Ok(())
}

fn check(account: &Account, choice: &Choice<'_>) -> Result<(), Error> {
    let (provider, name) = (choice.provider.name.as_str(), choice.name());
    if let Some(missing) = &account.missing {
        let account = &account.name;
        return Err(unavailable(format!("The account `{account}` of `{provider}` is not configured: {missing}.")));
    }
    if !account.is_for(provider, choice.id) && !account.is_for(provider, name) {
        let account = &account.name;
        return Err(unavailable(format!("The account `{account}` of `{provider}` is not for the model `{name}`.")));
    }
    Ok(())
}

fn candidate<'a>(choice: Choice<'a>, account: &Rc<Account>) -> Candidate<'a> {
    let target = Target {
        provider: Rc::clone(choice.provider),
        account: Rc::clone(account),
        model: choice.id.into(),
        max_output_tokens: choice.max_output_tokens(),
    };
    Candidate::new(target, choice)
}

fn unavailable(message: alloc::string::String) -> Error {
    Error::new(Kind::UpstreamUnavailable, message)
}
