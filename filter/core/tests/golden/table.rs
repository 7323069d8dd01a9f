//! The goldens of requests as one table, for people: what each provider gets, gets in part, or refuses.

use std::{fs, path::Path};

use crate::{
    CLIENTS, PROVIDERS, Provider,
    book::{Book, names},
    requests,
};
use serde_json::Value;

const BEGIN: &str = "<!-- goldens: begin -->\n";
const END: &str = "<!-- goldens: end -->\n";

fn table() -> String {
    let mut rows = vec![row("request", PROVIDERS.iter().map(|provider| provider.name.to_owned()))];
    rows.push(row("---", PROVIDERS.iter().map(|_| "---".to_owned())));
    for client in CLIENTS {
        for case in names(&requests::folder(client)) {
            let request = fs::read(requests::folder(client).join(&case).join("request.json")).unwrap();
            let request: Value = serde_json::from_slice(&request).unwrap();
            let gets = |provider: &Provider| cell(&requests::sent(client, provider, &provider.target(&case), &request));
            let place = match *client {
                "messages" => "Messages: ",
                "responses" => "Responses: ",
                "completions" => "completions: ",
                _ => "",
            };
            rows.push(row(&[place, &case.replace('_', " ")].concat(), PROVIDERS.iter().map(gets)));
        }
    }
    rows.concat()
}

fn row(head: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {head} | {} |\n", cells.join(" | "))
}

fn cell(golden: &Value) -> String {
    if let Some(status) = golden["refused"].as_u64() {
        let field = golden["body"]["error"]["param"].as_str();
        return format!("{status} {}", field.map(|field| format!("`{field}`")).unwrap_or_default())
            .trim_end()
            .to_owned();
    }
    let dropped = golden["dropped"].as_array().unwrap();
    let names: Vec<String> = dropped.iter().map(|name| format!("`{}`", name.as_str().unwrap())).collect();
    if names.is_empty() { "yes".to_owned() } else { format!("without {}", names.join(", ")) }
}

#[test]
fn the_documented_table_is_what_the_goldens_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/translation.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the table's begin is marked");
    let (_, after) = rest.split_once(END).expect("the table's end is marked");
    let mut book = Book::default();
    book.expect(path.clone(), &[before, BEGIN, &table(), END, after].concat());
    book.close();
}
