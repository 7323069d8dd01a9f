//! A change: read on top of the last one, checked with the whole file, and put in its place at once, or not at all.

use alloc::{format, string::String, vec::Vec};

use super::{Ask, providers, secrets::without_secrets};
use crate::{
    change::{Changes, Fitted, Misfit, Section, blame, fit},
    config::{self, Rendered, Role},
    error::{Error, Kind},
};

/// What a change is about.
pub(super) type About<'a> = (&'static Section, &'a str);

impl Ask<'_> {
    /// Changes something, for all workers and from the next request on.
    pub(super) fn change(
        &self,
        (section, name): About<'_>,
        act: &mut dyn FnMut(&mut Changes) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.let_write()?;
        let store = self.around.latest.store();
        let (mut changes, version) = Changes::load(store);
        let before = self.current.changes();
        if changes.generation != before.generation {
            return Err(conflict());
        }
        act(&mut changes)?;
        changes.generation = changes.generation.saturating_add(1);
        let file = self.current.file().unwrap_or_default();
        let Fitted { misfits, config } = fit(file, &changes).map_err(|problems| {
            let told: Vec<String> = problems.iter().map(|problem| format!("{problem}")).collect();
            Error::new(Kind::Conflict, told.join("; "))
        })?;
        let known = self.current.misfits();
        let is_known = |(section, name): About<'_>| {
            known.iter().filter_map(|misfit| before.entry(misfit.entry)).any(|known| known == (section, name))
        };
        for misfit in &misfits {
            let Some(entry) = changes.entry(misfit.entry) else { continue };
            if entry == (section, name) {
                let pointer = misfit.problem.pointer.clone();
                return Err(Error::refusing(misfit.sentence(), pointer));
            }
            if !is_known(entry) {
                let message = format!(
                    "This would take from {} `{}` what it needs: {}.",
                    entry.0.noun,
                    entry.1,
                    misfit.sentence()
                );
                return Err(Error::new(Kind::Conflict, message));
            }
        }
        drop(known);
        self.refuse_disabled((section, name), &changes, &misfits)?;
        if matches!(section.name, providers::NAME | "routers") {
            self.let_envoy_be((section, name), &Rendered::of(config), &changes)?;
        }
        changes.save(store, version).map_err(|_| conflict())?;
        // What is told of it next is told as it is now.
        let _ = self.current.gateway();
        Ok(())
    }

    /// Refuses to name a model that is switched off; whoever named it before is left without it.
    #[inline(never)]
    fn refuse_disabled(&self, about: About<'_>, changes: &Changes, misfits: &[Misfit]) -> Result<(), Error> {
        let is_left_out = |entry| misfits.iter().any(|misfit| misfit.entry == entry);
        let applied = changes.applied(self.current.file().unwrap_or_default(), &is_left_out);
        let problems = config::parse_to_run(&applied.text).err().unwrap_or_default();
        let own = applied.places.iter().find(|place| changes.entry(place.entry) == Some(about));
        match own.and_then(|place| blame(place, &problems)) {
            Some(misfit) => Err(Error::refusing(misfit.sentence(), misfit.problem.pointer)),
            None => Ok(()),
        }
    }

    /// Refuses what Envoy's own configuration would have to be another one for: what it was started with is the file's.
    #[inline(never)]
    fn let_envoy_be(&self, (section, name): About<'_>, wanted: &Rendered, changes: &Changes) -> Result<(), Error> {
        let file = self.current.file().unwrap_or_default();
        let Ok(filed) = config::parse_to_run(file).map(Rendered::of) else { return Ok(()) };
        let why = if section.name == providers::NAME && !wanted.leads_as(&filed, name) {
            "The running Envoy has no such cluster: where a provider is and its `timeouts.total`, Envoy is told in its own configuration."
        } else if !wanted.waits_as(&filed) {
            "The running Envoy's routes wait as long as `timeouts` and `deadline` of the whole file say, and this changes the longest."
        } else {
            return Ok(());
        };
        let entries = section.entries(&changes.applied(file, &|_| false).text);
        let message = match entries.into_iter().find(|(other, _)| other == name) {
            None => format!("{why} Take `{name}` out of the file, or switch it off: `enabled: false`."),
            Some((_, entry)) => {
                let entry = without_secrets(&entry, &mut Vec::from([section.name.into(), name.into()]));
                format!(
                    "{why} Write this into the file, and render and start Envoy anew:\n{}:\n  {name}: {entry}",
                    section.name
                )
            }
        };
        Err(Error::new(Kind::Conflict, message))
    }

    /// Refuses who may only look, and who has looked at something else than there is now.
    fn let_write(&self) -> Result<(), Error> {
        if self.role != Role::Operator {
            return Err(Error::new(Kind::PermissionDenied, "This admin key may look, and change nothing."));
        }
        let generation = self.current.changes().generation;
        match self.headers.text("if-match") {
            Some(etag) if etag != "*" && etag.trim_matches('"') != format!("{generation}") => Err(conflict()),
            Some(_) | None => Ok(()),
        }
    }
}

fn conflict() -> Error {
    Error::new(Kind::Conflict, "Somebody else has changed something meanwhile: look again, and send this once more.")
}
