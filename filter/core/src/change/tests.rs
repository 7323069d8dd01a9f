//! Changes between workers, and under a file that is loaded later.

use alloc::rc::Rc;

use super::*;
use crate::{gateway::Gateway, store::Memory};

const FILE: &str = r#"{"providers":{"p":{"kind":"ollama","base-url":"http://127.0.0.1:1"}},"max_body":1024,
    "keys":[{"id":"a","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","team":"t"}],
    "teams":{"t":{"description":"x"}},"admin":{"keys":[{"id":"op","sha256":"0000000000000000000000000000000000000000000000000000000000000001"}]}}"#;

fn section(name: &str) -> &'static Section {
    Section::of(name).unwrap()
}

fn changes(entries: &[(&str, &str, Change)]) -> Changes {
    let mut changes = Changes { generation: 1, ..Changes::default() };
    for (name, entry, change) in entries {
        changes.set(section(name), entry, Some(change.clone()));
    }
    changes
}

#[test]
fn a_file_with_changes_is_a_file_in_which_only_these_entries_are_otherwise() {
    let changes = changes(&[
        ("keys", "a", Change::Merged(r#"{"team":null,"enabled":false}"#.into())),
        ("keys", "b", Change::Written(r#"{"id":"b"}"#.into())),
        ("teams", "t", Change::Removed),
        ("teams", "gone", Change::Merged("{}".into())),
        ("models", "p/m", Change::Merged(r#"{"enabled":false}"#.into())),
        ("fallbacks", "p/*", Change::Written(r#"["p/m"]"#.into())),
        ("providers", "p", Change::Merged(r#"{"base_url":"http://127.0.0.1:2"}"#.into())),
    ]);
    let applied = changes.applied(FILE, &|_| false);
    assert!(
        applied
            .text
            .starts_with(r#"{"providers":{"p":{"kind":"ollama","base-url":"http://127.0.0.1:2"}},"max_body":1024,"#)
    );
    assert!(
        applied.text.ends_with(r#","fallbacks":{"p/*":["p/m"]},"models":{"p/m":{"enabled":false}}}"#),
        "{}",
        applied.text
    );
    assert!(
        applied.text.contains(r#""a08","enabled":false},{"id":"b"}],"teams":{},"#.trim_start_matches("\"a08")),
        "{}",
        applied.text
    );
    let places: Vec<_> = applied.places.iter().map(|place| (place.pointer.as_str(), place.entry)).collect();
    assert_eq!(
        places,
        [("/providers/p", 6), ("/keys/0", 0), ("/keys/1", 1), ("/fallbacks/p~1*", 5), ("/models/p~1m", 4)]
    );
}

#[test]
fn without_changes_a_file_means_what_it_means() {
    let applied = Changes::default().applied(FILE, &|_| false);
    assert_eq!(crate::config::parse(&applied.text), crate::config::parse(FILE));
}

#[test]
fn changes_that_a_later_file_has_no_place_for_are_left_out_and_told_and_the_others_hold() {
    let changes = changes(&[
        ("keys", "b", Change::Written(r#"{"id":"b","sha256":"00","team":"t"}"#.into())),
        ("keys", "c", Change::Written([r#"{"id":"c","sha256":""#, &"0a".repeat(32), r#"","team":"new"}"#].concat())),
        ("teams", "new", Change::Written("{}".into())),
        (
            "limits",
            "l",
            Change::Written(
                r#"{"name":"l","of":"requests","per":"minute","max":5,"target":{"provider":"gone"}}"#.into(),
            ),
        ),
    ]);
    let fitted = fit(FILE, &changes).unwrap();
    let misfits: Vec<_> = fitted.misfits.iter().map(|misfit| changes.entry(misfit.entry).unwrap().1).collect();
    assert_eq!(misfits, ["b", "l"]);
    assert_eq!(fitted.config.keys.len(), 2);
    assert!(fitted.misfits[1].sentence().contains("no such provider"), "{:?}", fitted.misfits);
}

#[test]
fn what_was_taken_away_comes_back_where_a_later_file_needs_it() {
    let changes = changes(&[("teams", "t", Change::Removed), ("teams", "u", Change::Written("{}".into()))]);
    let fitted = fit(FILE, &changes).unwrap();
    assert_eq!(fitted.misfits.len(), 1);
    assert_eq!(fitted.config.teams.len(), 2);
}

#[test]
fn all_workers_see_a_change_at_once_and_of_two_writers_one_is_refused() {
    let store = Rc::new(Memory::default());
    let (here, there) = (Latest::new(Rc::<Memory>::clone(&store)), Latest::new(Rc::<Memory>::clone(&store)));
    assert_eq!(there.changes().generation, 0);
    let (mut mine, version) = Changes::load(&*store);
    let (mut theirs, same) = Changes::load(&*store);
    mine.generation = 1;
    mine.revoke([7; 32], "k");
    mine.revoke([5; 32], "l");
    mine.set(section("teams"), "t", Some(Change::Removed));
    mine.save(here.store(), version).unwrap();
    theirs.generation = 1;
    // As in Envoy, a first insert looks at no version: a second one does.
    assert_eq!(theirs.save(&*store, same), Err(Conflict));
    for worker in [&here, &there] {
        let changes = worker.changes();
        assert_eq!(*changes, mine);
        assert!(changes.has_revoked(&[7; 32]) && changes.has_revoked(&[5; 32]) && !changes.has_revoked(&[6; 32]));
    }
    assert!(Standing::new([7; 32], &there).is_revoked());
}

#[test]
fn bytes_that_no_worker_has_written_are_no_changes() {
    let whole = changes(&[("teams", "t", Change::Merged("{}".into()))]);
    let mut whole = whole;
    whole.revoke([1; 32], "k");
    let bytes = whole.write();
    assert_eq!(Changes::read(&bytes), Some(whole));
    for length in 0..bytes.len() {
        let _ = Changes::read(&bytes[..length]);
    }
}

#[test]
fn a_gateway_is_made_anew_once_for_each_change_and_keeps_closed_when_its_last_key_is_over() {
    fn none(_: &str) -> Option<String> {
        None
    }
    let store = Rc::new(Memory::default());
    let latest = Latest::new(Rc::<Memory>::clone(&store));
    let current = Current::new(FILE, crate::config::parse(FILE).unwrap(), none, (&latest, |_: &Rc<Gateway>| ()));
    let first = current.gateway();
    assert!(Rc::ptr_eq(&first, &current.gateway()));
    let (mut changes, version) = Changes::load(&*store);
    changes.generation = 1;
    changes.revoke(crate::hex::parse("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08").unwrap(), "a");
    changes.save(&*store, version).unwrap();
    let second = current.gateway();
    assert!(!Rc::ptr_eq(&first, &second) && Rc::ptr_eq(&second, &current.gateway()));
    assert_eq!(second.keys.revoked_in_file(), ["a"]);
}

#[test]
fn a_providers_own_credential_is_changed_whether_the_file_has_it_so_or_as_an_account() {
    let patch = r#"{"credential":{"value":"new","env":null}}"#;
    let other = r#"{"name":"eu","credential":{"env":"B"}}"#;
    for (before, after) in [
        (r#"{"kind":"openai","credential":{"env":"A"}}"#, r#"{"kind":"openai","credential":{"value":"new"}}"#.into()),
        (
            r#"{"kind":"openai","accounts":[{"name":"default","credential":{"env":"A"}}]}"#,
            r#"{"kind":"openai","credential":{"value":"new"}}"#.into(),
        ),
        (
            r#"{"accounts":[{"name":"default","auth":"none"}],"kind":"openai"}"#,
            r#"{"kind":"openai","credential":{"value":"new"}}"#.into(),
        ),
        (
            &*[r#"{"accounts":[{"name":"default","credential":{"env":"A"}},"#, other, "]}"].concat(),
            [r#"{"credential":{"value":"new"},"accounts":["#, other, "]}"].concat(),
        ),
        (
            &*[r#"{"accounts":["#, other, "]}"].concat(),
            [r#"{"accounts":["#, other, r#"],"credential":{"value":"new"}}"#].concat(),
        ),
        (
            r#"{"accounts":[{"name":"default","weight":2}]}"#,
            r#"{"accounts":[{"name":"default","weight":2}],"credential":{"value":"new"}}"#.into(),
        ),
    ] {
        assert_eq!(section("providers").merged(before, patch), after);
        assert_eq!(section("providers").merged(before, "{}"), before);
    }
}
