//! What aliases lead to.

use super::*;

#[test]
fn aliases_of_aliases_end_however_many_they_are() {
    let mut config = config::parse(&file().to_string()).unwrap();
    // As no file may have it: a walk that is cut short is still a walk that ends.
    let chain = |index: usize| (format!("a{index}"), vec![format!("openai/x{index}"), format!("a{}", index + 1)]);
    config.aliases = (0..10_000).map(chain).collect();
    config.aliases.extend([("b".into(), vec!["c".into()]), ("c".into(), vec!["b".into(), "openai/gpt-4o".into()])]);
    let gateway = Gateway::new(&config, |_| None);
    assert_eq!(meaning(&gateway, "a0", &Caller::Anonymous).as_deref(), Ok("openai x0"));
    assert_eq!(meaning(&gateway, "a9999", &Caller::Anonymous).as_deref(), Ok("openai x9999"));
    assert_eq!(card(&gateway, "a0")["alias_of"].as_array().unwrap().len(), 128);
    assert_eq!(card(&gateway, "a9998")["alias_of"], json!(["openai/x9998", "openai/x9999"]));
    assert_eq!(card(&gateway, "c")["alias_of"], json!(["openai/gpt-4o"]));
}

#[test]
fn an_alias_leads_to_what_its_way_ends_at_and_nowhere_else() {
    let mut file = file();
    file["aliases"]["to_auto"] = json!(["auto"]);
    let gateway = gateway(&file);
    // What cannot be asked for is not listed.
    assert_eq!(meaning(&gateway, "to_auto", &Caller::Anonymous).unwrap_err().0, Kind::ModelNotFound);
    assert_eq!(gateway.catalogue.retrieve("to_auto", &Caller::Anonymous, None), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_is_too_strange_to_be_refused(name in "(openai/|groq/|ollama/|)[a-zA-Z0-9:/.%*é-]{0,24}", query in "[a-z_=&%+,0-9]{0,40}") {
        let gateway = standard();
        let caller = holder(&json!({"models": ["gpt-*", "*/x*"]}));
        for caller in [&Caller::Anonymous, &caller] {
            let _ = gateway.catalogue.resolve(&name, caller);
            let _ = gateway.catalogue.retrieve(&name, caller, None);
            let _: Value = serde_json::from_slice(&gateway.catalogue.list(caller, &query, None)).unwrap();
        }
    }

    #[test]
    fn what_is_listed_can_be_retrieved_and_asked_for_and_nothing_else_can_be_retrieved(
        models in prop::collection::vec("(openai|claude|groq|ollama|proxy)/(gpt|claude|o3)[-*]{0,1}[4o]{0,2}", 0..3),
        providers in prop::option::of(prop::sample::subsequence(vec!["openai", "claude", "groq", "ollama", "proxy"], 0..5)),
    ) {
        let gateway = standard();
        let mut scope = json!({});
        if !models.is_empty() {
            scope["models"] = json!(models);
        }
        if let Some(providers) = providers {
            scope["providers"] = json!(providers);
        }
        let caller = holder(&scope);
        let listed = ids(&gateway, &caller, "");
        for id in &listed {
            prop_assert!(gateway.catalogue.resolve(id, &caller).is_ok(), "{} cannot be asked for", id);
            let card: Value = serde_json::from_slice(&gateway.catalogue.retrieve(id, &caller, None).unwrap()).unwrap();
            prop_assert_eq!(card["id"].as_str(), Some(id.as_str()));
        }
        for id in ids(&gateway, &Caller::Anonymous, "") {
            prop_assert_eq!(gateway.catalogue.retrieve(&id, &caller, None).is_some(), listed.contains(&id), "{}", id);
        }
    }
}
