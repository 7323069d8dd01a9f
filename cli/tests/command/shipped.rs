//! The files that the repository ships, and what of them is a promise.

use super::*;

/// Every file that the repository ships.
fn shipped() -> Vec<String> {
    let files = ["config", "config/examples"].into_iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_shipped_file_is_checked_and_rendered() {
    let shipped = shipped();
    assert!(shipped.len() >= 4, "{shipped:?}");
    for path in shipped {
        let check = dragoman(["check", &path]);
        assert!(check.status.success(), "{}", text(&check.stderr));
        assert!(text(&check.stdout).starts_with(&format!("{path}: ok\n")));
        if path.ends_with(FULL) {
            // It has what the gateway does not do yet.
            continue;
        }
        let render = dragoman(["render", "envoy", "--config", &path]);
        assert!(render.status.success(), "{}", text(&render.stderr));
        let bootstrap: Value = serde_saphyr::from_str(text(&render.stdout)).unwrap();
        assert_eq!(bootstrap["static_resources"]["listeners"][0]["name"], "ingress", "{path}");
    }
}

#[test]
fn the_checked_in_bootstrap_is_the_rendered_default() {
    let same = dragoman(["render", "envoy", "--config", DEFAULT, "--check", "envoy/standalone"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
}

/// Whoever copies them gets the metrics and the record that a rendered Envoy has.
#[test]
fn the_guide_has_the_stats_and_the_record_of_a_rendered_envoy() {
    let rendered = fs::read_to_string(root().join("envoy/standalone/envoy.yaml")).unwrap();
    let bootstrap: Value = serde_saphyr::from_str(&rendered).unwrap();
    let guide = fs::read_to_string(root().join("docs/existing-envoy.md")).unwrap();
    let (_, block) = guide.split_once("```yaml stats_config\n").unwrap();
    let block: Value = serde_saphyr::from_str(block.split("```\n").next().unwrap()).unwrap();
    assert_eq!(block["stats_config"], bootstrap["stats_config"]);
    let record = r#","request_id":"%FILTER_STATE(wasm.dragoman.record:PLAIN)%"}"#;
    // The default file asks for no audit log.
    let audit = r#""%FILTER_STATE(wasm.dragoman.audit:PLAIN)%""#;
    for (text, records, audits) in [(rendered, 1, 0), (guide, 2, 1)] {
        let uses = [record, audit, "FILTER_STATE("].map(|format| text.matches(format).count());
        assert_eq!(uses, [records, audits, records + audits]);
    }
}

#[test]
fn the_checked_in_schema_is_that_of_the_file() {
    let same = dragoman(["schema", "--check", "config/dragoman.schema.json"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
    let other = dragoman(["schema", "--check", "config/dragoman.yaml"]);
    assert_eq!(other.status.code(), Some(1));
}

#[test]
fn the_checked_in_reference_is_that_of_the_file() {
    let same = dragoman(["reference", "--check", "docs/configuration.md"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
}

#[test]
fn the_full_example_has_every_field() {
    let document: Value = serde_saphyr::from_str(&fs::read_to_string(root().join(FULL)).unwrap()).unwrap();
    let mut names = BTreeSet::new();
    collect_names(&document, &mut names);
    for section in config::reference().sections {
        for field in section.fields {
            // Of the places of signing keys a file has one.
            let other_place = section.name == "jwt" && matches!(field.name, "jwks_file" | "secret");
            assert!(other_place || names.contains(field.name), "{} {}", section.name, field.name);
        }
    }
}

/// Where the file's shape is a promise to others, as JSON pointers; `*` is any name or index.
const PROMISED: &str = "
    /version /listen/address /listen/admin /listen/concurrency /listen/envoy_admin /tls/ca_file
    /providers/*/kind /providers/*/base_url /providers/*/credential/env /providers/*/timeouts/first_byte /providers/*/timeouts/flex
    /providers/*/headers/* /providers/*/enabled /providers/*/accounts/*/credential/env /providers/*/accounts/*/weight
    /providers/*/accounts/*/models/* /providers/*/accounts/*/auth /providers/*/accounts/*/enabled /providers/*/cluster
    /providers/*/upstream_filter /catalogue/strict /catalogue/equivalents
    /models/*/context_window /models/*/max_output_tokens /models/*/price/cached_input /models/*/id /models/*/released /models/*/enabled
    /aliases/* /aliases/*/* /model_mapping/*/*
    /auth/required /auth/jwt/issuer /auth/jwt/audiences/* /auth/jwt/jwks_url /auth/jwt/algorithms/* /auth/jwt/scopes/claim
    /auth/jwt/scopes/require/* /auth/jwt/claims/id /auth/jwt/claims/team /admin/keys/*/sha256
    /teams/*/description /teams/*/budgets/monthly_usd
    /keys/*/sha256 /keys/*/description /keys/*/team /keys/*/environment /keys/*/providers/* /keys/*/models/*
    /keys/*/budgets/daily_tokens /keys/*/budgets/hourly/total /keys/*/budgets/hourly/input/max /keys/*/budgets/hourly/input/enabled
    /keys/*/budgets/hourly/output /keys/*/budgets/daily_usd /keys/*/budgets/monthly_usd /keys/*/labels/* /keys/*/cost_tags/*
    /keys/*/routing /keys/*/not_before /keys/*/expires /keys/*/enabled /keys/*/byok/allowed /keys/*/byok/credentials/*/env
    /limits/*/name /limits/*/of /limits/*/per /limits/*/max /limits/*/scope /limits/*/target/model /limits/*/target/provider
    /limits/*/enabled /limits/*/shadow /soft_threshold /limits_backend
    /retry/mode /retry/statuses/* /retry/attempts /retry/backoff/base /retry/backoff/max /retry/deadline /retry/cooldown/default
    /retry/cooldown/max /fallbacks/*/* /context_fallbacks/*/* /content_fallbacks /fallback_models/*
    /routing/*/strategy /routing/*/active /routing/*/sticky /routing/*/targets/*/model /routing/*/targets/*/priority
    /routing/*/targets/*/weight /routing/*/rules/*/when/headers/* /routing/*/rules/*/when/model
    /routing/*/rules/*/when/estimated_tokens/gt /routing/*/rules/*/when/has_images /routing/*/rules/*/when/stream
    /routing/*/rules/*/when/team /routing/*/rules/*/when/labels/* /routing/*/rules/*/when/has_tools /routing/*/rules/*/when/path
    /routing/*/rules/*/when/time/from /routing/*/rules/*/when/time/to /routing/*/rules/*/then/* /routing/*/rules/*/then/targets/*/model
    /routing/*/else
    /routers/*/load_balance/chat/targets/*/provider /routers/*/load_balance/chat/targets/*/weight
    /routers/*/load_balance/chat/providers/* /routers/*/load_balance/embeddings/providers/* /routers/*/model_mapping/*/*
    /routers/*/cache/directive /routers/*/cache/buckets /routers/*/cache/seed /routers/*/rate_limit/per_api_key/capacity
    /routers/*/rate_limit/per_api_key/refill_frequency /routers/*/retry/attempts
    /auto/default_model /auto/task_routes/general/low/* /auto/task_routes/general/medium/* /auto/task_routes/general/high/*
    /auto/task_routes/coding/default/* /auto/task_routes/thinking/xhigh/* /auto/task_routes/image/default/*
    /auto/task_routes/instruction_following/low/*
    /environments/*/providers/*/credential/env /environments/*/limits/*/per
    /policy/enabled /policy/adjust /policy/alpha /policy/interval /policy/min_samples /policy/max_ratio /policy/overrides
    /cache/max_bytes /cache/max_entry /log/ring /log/content /log/redact /log/audit/enabled /log/audit/path /max_body
";

/// What another program writes in this shape is read: each place is in the full example, which is checked.
#[test]
fn the_full_example_has_every_promised_place() {
    let document: Value = serde_saphyr::from_str(&fs::read_to_string(root().join(FULL)).unwrap()).unwrap();
    for pointer in PROMISED.split_whitespace() {
        let segments: Vec<_> = pointer.split('/').skip(1).collect();
        assert!(has(&document, &segments), "{pointer}");
    }
    assert!(!has(&document, &["providers", "*", "accounts", "*", "kind"]));
}

fn has(value: &Value, segments: &[&str]) -> bool {
    let Some((segment, rest)) = segments.split_first() else { return true };
    match value {
        Value::Object(members) if *segment == "*" => members.values().any(|value| has(value, rest)),
        Value::Object(members) => members.get(*segment).is_some_and(|value| has(value, rest)),
        Value::Array(values) if *segment == "*" => values.iter().any(|value| has(value, rest)),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn collect_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            names.extend(members.keys().cloned());
            members.values().for_each(|value| collect_names(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_names(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The shape of the file is a promise to others, who have an example of it.
#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn the_example_that_others_have_is_a_good_file() {
    let folder = std::env::var_os("DRAGOMAN_FIXTURES").expect("DRAGOMAN_FIXTURES names the folder of recordings");
    let path = Path::new(&folder).parent().unwrap().join("example-config.yaml");
    let path = path.to_str().unwrap();
    let check = dragoman(["check", path]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    let effective = dragoman(["check", "--effective", path]);
    let (_folder, effective) = file(text(&effective.stdout));
    assert!(dragoman(["check", &effective]).status.success());
}

#[test]
fn a_differing_bootstrap_is_named_with_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(dragoman(["render", "envoy", "--config", DEFAULT, "--out", path]).status.success());
    let written = folder.path().join("envoy.yaml");
    let changed = fs::read_to_string(&written).unwrap().replace("cluster: dragoman\n", "cluster: other\n");
    fs::write(&written, changed).unwrap();
    let differs = dragoman(["render", "envoy", "--config", DEFAULT, "--check", path]);
    assert_eq!(differs.status.code(), Some(1));
    let message = text(&differs.stderr);
    assert!(message.contains("-   cluster: other\n+   cluster: dragoman"), "{message}");
}
