//! Every field of every request format, and what becomes of it with each provider: `docs/fields.md`, which this writes.
//!
//! `fields/CLIENT.json` says how each field is written. A request with it and the same without it are both sent, and what differs is
//! judged: a field that makes no difference, is not listed as left out and is not refused either is lost, unless its row says why it
//! says nothing there.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    CLIENTS, PROVIDERS, Provider,
    book::{Book, root},
    requests::sent,
};
use serde::Deserialize;
use serde_json::{Map, Value};

const BEGIN: &str = "<!-- fields: begin -->\n";
const END: &str = "<!-- fields: end -->\n";

/// More of them say no more.
const MOST_PLACES: usize = 3;

/// What is asked for that is no chat, in OpenAI's format.
const TASKS: &[&str] = &["embeddings", "images"];

/// The clients' formats, as the page calls them.
const TITLES: &[(&str, &str)] = &[
    ("openai_chat", "Chat completions"),
    ("messages", "Anthropic's Messages"),
    ("completions", "Completions"),
    ("responses", "Responses"),
    ("embeddings", "Embeddings"),
    ("images", "Images"),
];

#[derive(Deserialize)]
struct Fields {
    bases: Map<String, Value>,
    rows: Vec<Row>,
}

/// A field and how it is written.
#[derive(Deserialize)]
struct Row {
    field: String,
    /// Where; a last segment `-` is behind the last element of a list.
    at: String,
    value: Value,
    /// Whether it goes in front of what stands there.
    #[serde(default)]
    insert: bool,
    /// The request that it is added to.
    #[serde(default)]
    base: Option<String>,
    /// What else the request needs for it.
    #[serde(default)]
    with: Vec<(String, Value)>,
    /// By provider, why it says nothing.
    #[serde(default)]
    nothing: Map<String, Value>,
}

fn set(document: &mut Value, at: &str, value: &Value, insert: bool) {
    let (parent, last) = at.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("{at} stands nowhere")) {
        Value::Object(members) => drop(members.insert(last.to_owned(), value.clone())),
        Value::Array(items) if last == "-" => items.push(value.clone()),
        Value::Array(items) if insert => items.insert(last.parse().unwrap(), value.clone()),
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("{at} is in no container"),
    }
}

/// Where two documents differ, in lists whatever the place: a whole subtree once.
fn differences(before: &Value, after: &Value, at: &str, found: &mut BTreeSet<String>) {
    let member = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            for name in before.keys().chain(after.keys()) {
                match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => differences(before, after, &member(name), found),
                    _ => drop(found.insert(member(name))),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after) {
                differences(before, after, &format!("{at}[]"), found);
            }
        }
        (Value::Array(_), Value::Array(_)) => drop(found.insert(format!("{at}[]"))),
        _ => drop(found.insert(at.to_owned())),
    }
}

/// What becomes of a field, or that it is lost.
fn outcome(client: &str, provider: &Provider, fields: &Fields, row: &Row) -> Result<String, String> {
    let mut without = fields.bases[row.base.as_deref().unwrap_or("plain")].clone();
    for (at, value) in &row.with {
        set(&mut without, at, value, false);
    }
    let mut with = without.clone();
    set(&mut with, &row.at, &row.value, row.insert);
    let target = provider.target(client);
    let [before, after] = [&without, &with].map(|request| sent(client, provider, &target, request));
    let is_task = TASKS.contains(&client);
    if !before["refused"].is_null() && !is_task {
        return Ok("refused with what it is part of".to_owned());
    }
    if !after["refused"].is_null() {
        return Ok("**refused**".to_owned());
    }
    if client == provider.name
        || is_task && provider.name == "openai_chat"
        || client == "messages" && provider.name == "anthropic"
    {
        let mut expected = with.clone();
        expected["model"] = after["body"]["model"].clone();
        if after["body"] == expected {
            return Ok("as it came".to_owned());
        }
    }
    let mut places = BTreeSet::new();
    differences(&before["body"], &after["body"], "", &mut places);
    let names = |document: &Value| -> Vec<String> {
        document["dropped"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let known = names(&before);
    let dropped: Vec<String> = names(&after).into_iter().filter(|name| !known.contains(name)).collect();
    let nothing = row.nothing.get(provider.name).and_then(Value::as_str);
    if places.is_empty() && dropped.is_empty() && before["path"] == after["path"] {
        return nothing.map(|why| format!("– ({why})")).ok_or_else(|| "is lost".to_owned());
    }
    if let Some(why) = nothing {
        return Err(format!("says something, although “{why}”"));
    }
    let mut told: Vec<String> = places.iter().take(MOST_PLACES).map(|place| format!("`{place}`")).collect();
    if before["path"] != after["path"] {
        told.push("the path".to_owned());
    }
    if places.len() > MOST_PLACES {
        told.push("…".to_owned());
    }
    // A row may say more than the field's name.
    let own = row.field.split([',', ':']).next().unwrap_or_default();
    let listed = |name: &String| if *name == own { "listed".to_owned() } else { format!("listed: `{name}`") };
    told.extend(dropped.iter().map(listed));
    Ok(told.join(", "))
}

#[test]
fn no_field_is_lost_and_the_documented_table_says_what_becomes_of_each() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the tables' begin is marked");
    let (_, after) = rest.split_once(END).expect("the tables' end is marked");
    let (mut book, mut tables) = (Book::default(), Vec::new());
    for client in CLIENTS.iter().chain(TASKS) {
        let fields = fs::read(root().join("fields").join(format!("{client}.json"))).unwrap();
        let fields: Fields = serde_json::from_slice(&fields).unwrap();
        let title = TITLES.iter().find(|(name, _)| name == client).map_or(*client, |(_, title)| *title);
        let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
        let rule = "| --- ".repeat(PROVIDERS.len());
        tables.push(format!("\n## {title}\n\n| field | {} |\n| --- {rule}|\n", names.join(" | ")));
        for row in &fields.rows {
            let cells = PROVIDERS.iter().map(|provider| {
                outcome(client, provider, &fields, row).unwrap_or_else(|lost| {
                    book.complain(format!("{client}: {} {lost} with {}", row.field, provider.name));
                    "LOST".to_owned()
                })
            });
            tables.push(format!("| {} | {} |\n", row.field, cells.collect::<Vec<_>>().join(" | ")));
        }
    }
    book.expect(path.clone(), &[before, BEGIN, &tables.concat(), "\n", END, after].concat());
    book.close();
}
