//! Answers that a provider keeps: their ids say whose they are, and who is asked about them.

mod cut;

use super::*;
use crate::key::hash;

/// Two accounts of one who keeps answers, another who does, and two keys.
fn shared() -> Rc<Gateway> {
    gateway(&format!(
        r#"{{"providers":{{
            "two":{{"kind":"openai","accounts":[
                {{"name":"one","credential":{{"env":"ONE"}},"models":["gpt-5"]}},
                {{"name":"other","credential":{{"env":"OTHER"}}}}]}},
            "x":{{"kind":"openai","base_url":"https://api.x.ai/v1","credential":{{"env":"X"}}}},
            "local":{{"kind":"openai","base_url":"http://127.0.0.1:1/v1","credential":{{"env":"L"}}}},
            "told":{{"kind":"openai","base_url":"http://127.0.0.1:2/v1","credential":{{"env":"T"}},"responses":"stateful"}},
            "unproved":{{"kind":"openai","base_url":"http://127.0.0.1:3/v1","auth":"none","responses":true}}}},
          "keys":[{{"id":"a","sha256":"{}"}},{{"id":"b","sha256":"{}"}},
            {{"id":"few","sha256":"{}","models":["two/gpt-5"]}},{{"id":"none","sha256":"{}","providers":["x"]}}],
          "routers":{{"all":{{"load_balance":{{"chat":{{"strategy":"fallback",
            "targets":["local/m","two/gpt-5","two/gpt-4o","x/grok-4","told/m"]}}}}}}}}}}"#,
        hash("a"),
        hash("b"),
        hash("few"),
        hash("none"),
    ))
}

fn asked_by(key: &str, method: &str, path: &str, body: &str) -> Asked {
    let bearer = format!("Bearer {key}");
    let head = post(path, &[(":method", method.as_bytes()), ("authorization", bearer.as_bytes())]);
    let pieces: &[&[u8]] = if body.is_empty() { &[] } else { &[body.as_bytes()] };
    ask(&shared(), head, pieces)
}

/// Who is asked, and by which account.
fn whom(sent: &Sent) -> (String, String) {
    let target = sent.plan.first().unwrap();
    (target.provider.name.clone(), target.account.name.clone())
}

fn answer(id: &str) -> String {
    json!({"id": id, "object": "response", "status": "completed", "previous_response_id": null}).to_string()
}

/// The id of an answer to a key, of this model.
fn given(key: &str, model: &str) -> String {
    let sent = asked_by(key, "POST", "/v1/responses", &json!({"model": model, "input": "x"}).to_string()).sent();
    let told = sent.answered(200, &[JSON], &[answer("resp_0a").as_bytes()]);
    assert_eq!(told.header("content-length").unwrap(), told.body.len().to_string());
    let id = json_of(&told.body)["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("resp_0a_") && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{id}");
    id
}

/// What is said of an id that nobody has given.
fn unknown(reply: &dragoman_core::step::Reply) -> (u16, Value) {
    (reply.status, json_of(&reply.body)["error"]["code"].clone())
}

#[test]
fn an_answer_is_asked_of_the_account_that_has_given_it() {
    for (model, provider, account) in
        [("two/gpt-4o", "two", "other"), ("x/grok-4", "x", "default"), ("told/m", "told", "default")]
    {
        let id = given("a", model);
        for (method, prefix, behind) in [
            ("GET", "/v1", "?include[]=x"),
            ("GET", "", "/input_items"),
            ("DELETE", "/ai/v1", ""),
            ("POST", "/router/all", "/cancel"),
        ] {
            let sent = asked_by("a", method, &format!("{prefix}/responses/{id}{behind}"), "").sent();
            assert_eq!(whom(&sent), (provider.into(), account.into()), "{model} {method}");
            assert_eq!(path(&sent), format!("/v1/responses/resp_0a{behind}"));
            let told = sent.answered(200, &[JSON, ("content-length", "9")], &[answer("resp_0a").as_bytes()]);
            assert_eq!((&json_of(&told.body)["id"], told.header("content-length")), (&json!(id), None), "{method}");
        }
        let sent = asked_by("a", "GET", &format!("/{provider}/responses/{id}"), "").sent();
        assert_eq!((whom(&sent), path(&sent)), ((provider.into(), account.into()), "/v1/responses/resp_0a"));
    }
    let id = given("a", "x/grok-4");
    for out in ["/..;/resp_0b", "/%252e%252e/resp_0b", "/..%3b/resp_0b", "/../resp_0b", "/resp_0b", ";x", "/Cancel"] {
        for prefix in ["/v1", "/x/v1"] {
            let reply = asked_by("a", "GET", &format!("{prefix}/responses/{id}{out}"), "").refused();
            assert_eq!(reply.status, 404, "{prefix} {out}");
        }
    }
    let listed = json!({"object": "list", "data": [{"id": "msg_1"}], "first_id": "msg_1"}).to_string();
    let items = asked_by("a", "GET", &format!("/v1/responses/{}/input_items", given("a", "x/grok-4")), "").sent();
    assert_eq!(items.answered(200, &[JSON], &[listed.as_bytes()]).text(), listed);
}

#[test]
fn a_conversation_goes_on_where_it_began_and_nowhere_else() {
    for (model, provider, account) in
        [("two/gpt-4o", "two", "other"), ("x/grok-4", "x", "default"), ("told/m", "told", "default")]
    {
        let id = given("a", model);
        let ask = |path: &str, model: &str| {
            let body = json!({"model": model, "input": "x", "previous_response_id": id}).to_string();
            asked_by("a", "POST", path, &body).sent()
        };
        let sent = ask("/router/all/responses", "any");
        assert_eq!(whom(&sent), (provider.into(), account.into()), "{model}");
        assert_eq!(json_of(&sent.body)["previous_response_id"], "resp_0a");
        let again =
            json!({"previous_response_id": "resp_0a", "object": "response", "status": "completed", "id": "resp_0b"});
        let told = json_of(&sent.answered(200, &[JSON], &[again.to_string().as_bytes()]).body);
        assert_eq!(told["previous_response_id"], json!(id));
        assert_ne!(told["id"], "resp_0b");
        let targets = ask("/router/all/responses", "any").plan.most_tries();
        assert_eq!(targets, if provider == "two" { 2 } else { 1 }, "of its own models only: {model}");
        for path in ["/ai/responses", "/v1/responses/compact", "/v1/responses/input_tokens"] {
            let sent = ask(path, model);
            assert_eq!(whom(&sent), (provider.into(), account.into()), "{model} {path}");
            assert_eq!(json_of(&sent.body)["previous_response_id"], "resp_0a", "{path}");
        }
        let own = ask(&format!("/{provider}/v1/responses"), model.rsplit('/').next().unwrap());
        assert_eq!(
            (whom(&own), json_of(&own.body)["previous_response_id"].clone()),
            ((provider.into(), account.into()), json!("resp_0a"))
        );
    }
}

#[test]
fn an_id_of_another_key_or_of_nobody_is_unknown_in_openai_s_words() {
    let id = given("a", "two/gpt-4o");
    let (bare, seal) = id.rsplit_once('_').unwrap();
    let digit = if seal.starts_with('0') { "1" } else { "0" };
    let others = [
        ("b", id.clone()),
        ("none", id.clone()),
        ("a", bare.to_owned()),
        ("a", format!("{bare}_{digit}{}", seal.split_at(1).1)),
        ("a", format!("{bare}b_{seal}")),
        ("a", format!("{id}0")),
        ("a", format!("{id}_{seal}")),
        ("a", seal.to_owned()),
        ("a", "resp_".to_owned() + &"9".repeat(60)),
    ];
    for (key, id) in &others {
        for (method, path) in [
            ("GET", format!("/v1/responses/{id}")),
            ("DELETE", format!("/responses/{id}")),
            ("POST", format!("/router/all/responses/{id}/cancel")),
        ] {
            let reply = asked_by(key, method, &path, "").refused();
            assert_eq!(unknown(&reply), (404, Value::Null), "{key} {path}");
            assert!(json_of(&reply.body)["error"]["message"].as_str().unwrap().contains("not found"));
        }
        for path in ["/router/all/responses", "/v1/responses", "/v1/responses/compact"] {
            let model = if *key == "none" { "x/grok-4" } else { "two/gpt-4o" };
            let body = json!({"model": model, "input": "x", "previous_response_id": id}).to_string();
            let reply = asked_by(key, "POST", path, &body).refused();
            assert_eq!(unknown(&reply), (400, json!("previous_response_not_found")), "{key} {path} {id}");
            assert_eq!(json_of(&reply.body)["error"]["param"], "previous_response_id");
        }
        if *key == "none" {
            continue;
        }
        // However the path is spelled: others may read it in another way than it is read here.
        for path in ["/two/responses", "/two/v1/Responses", "/two/v1/respon%73es"] {
            let reply = asked_by(key, "GET", &format!("{path}/{id}"), "").refused();
            assert_eq!(unknown(&reply), (404, Value::Null), "{key} {path}");
            let body = json!({"model": "gpt-4o", "input": "x", "previous_response_id": id}).to_string();
            let reply = asked_by(key, "POST", path, &body).refused();
            assert_eq!(unknown(&reply).0, 400, "{key} {path}");
        }
    }
    let bearer: (&str, &[u8]) = ("authorization", b"Bearer a");
    for prefix in ["/two", "/two/v1", "/v1", "/router/all", "/ai/v1"] {
        for behind in ["", "/compact", "/input_tokens"] {
            let path = format!("{prefix}/responses{behind}");
            let unread = post(&path, &[bearer, ("content-type", b"text/plain")]);
            assert_eq!(ask(&shared(), unread, &[b"{}"]).refused().status, 415, "{path}");
        }
    }
}

#[test]
fn nobody_lists_what_is_kept() {
    for provider in ["two", "local", "unproved"] {
        for method in ["GET", "HEAD", "DELETE", "PUT"] {
            for path in ["responses", "v1/responses/", "v1/Responses", "responses/compact", "responses/input_tokens"] {
                let path = format!("/{provider}/{path}");
                assert_eq!(asked_by("a", method, &path, "").refused().status, 404, "{method} {path}");
            }
        }
    }
}

#[test]
fn a_key_for_certain_models_may_read_what_it_was_answered() {
    let id = given("few", "two/gpt-5");
    for (method, path) in [
        ("GET", format!("/v1/responses/{id}")),
        ("DELETE", format!("/two/responses/{id}")),
        ("POST", format!("/v1/responses/{id}/cancel")),
    ] {
        assert_eq!(whom(&asked_by("few", method, &path, "").sent()).0, "two", "{path}");
    }
    assert_eq!(asked_by("few", "POST", &format!("/v1/responses/{id}/anything"), "").refused().status, 403);
}

#[test]
fn what_has_no_owner_is_asked_of_one_account_that_is_always_the_same() {
    for entropy in 0..8 {
        for kept in [r#""conversation":"conv_1""#, r#""prompt":{"id":"p"}"#] {
            let body = format!(r#"{{"model":"any","input":"{entropy}",{kept}}}"#);
            let sent = asked_by("a", "POST", "/router/all/responses", &body).sent();
            assert_eq!((whom(&sent), sent.plan.most_tries()), (("two".into(), "one".into()), 1), "{kept}");
        }
    }
    // What is only to be kept may be kept by anybody who keeps anything.
    let sent = asked_by("a", "POST", "/router/all/responses", r#"{"model":"any","input":"x","store":true}"#).sent();
    assert!(sent.plan.most_tries() > 3);
}

#[test]
fn who_keeps_nothing_or_cannot_prove_it_gives_ids_as_they_come_and_takes_none_of_a_key() {
    for model in ["local/m", "unproved/m"] {
        let body = json!({"model": model, "input": "x"}).to_string();
        let sent = asked_by("a", "POST", "/v1/responses", &body).sent();
        let told = sent.answered(200, &[JSON, ("content-length", "98")], &[answer("resp_0a").as_bytes()]);
        assert_eq!((told.text(), told.header("content-length")), (&*answer("resp_0a"), Some("98")), "{model}");
        let body = json!({"model": model, "input": "x", "previous_response_id": "resp_0a"}).to_string();
        let reply = asked_by("a", "POST", "/v1/responses", &body).refused();
        assert!(reply.status == 400 && String::from_utf8_lossy(&reply.body).contains("keeps no earlier answers"));
        for path in ["/v1/responses/compact", "/v1/responses/input_tokens", &model.replace("/m", "/responses")] {
            let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
            let reply = asked_by("a", "POST", &path, &body).refused();
            assert!(reply.status == 400 && String::from_utf8_lossy(&reply.body).contains("keeps no earlier answers"));
            let new = json!({"model": model, "input": "x"}).to_string();
            assert!(!asked_by("a", "POST", &path, &new).sent().body.is_empty());
        }
        let own = model.replace("/m", "/v1/responses/resp_0a");
        for (method, behind) in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")] {
            let reply = asked_by("a", method, &format!("/{own}{behind}"), "").refused();
            assert_eq!(unknown(&reply).0, 404, "{model} {method}");
        }
    }
    // Where there are no keys, all that ask are one.
    let open = gateway(
        r#"{"providers":{"unproved":{"kind":"openai","base_url":"http://127.0.0.1:3/v1","auth":"none","responses":true}}}"#,
    );
    let own = ask(&open, post("/unproved/responses/resp_0a", &[(":method", b"GET")]), &[]).sent();
    assert_eq!(path(&own), "/v1/responses/resp_0a");
    let body = br#"{"model":"m","input":"x","previous_response_id":"resp_0a"}"#;
    let own = ask(&open, post("/unproved/responses", &[]), &[body]).sent();
    assert_eq!(json_of(&own.body)["previous_response_id"], "resp_0a");
    let list = ask(&open, post("/unproved/responses", &[(":method", b"GET")]), &[]).refused();
    assert_eq!(list.status, 404);
    let gateway = gateway(r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"}}}}"#);
    let reply = ask(&gateway, post("/v1/responses/resp_1", &[(":method", b"GET")]), &[]).refused();
    assert_eq!(reply.status, 404);
    assert!(String::from_utf8_lossy(&reply.body).contains("keeps answers"));
}

#[test]
fn who_asks_does_not_say_what_an_answer_is_called() {
    for (path, model) in [
        ("/v1/responses", "told/m"),
        ("/router/all/responses", "any"),
        ("/v1/responses/compact", "told/m"),
        ("/told/responses", "m"),
        ("/told/v1/Responses", "m"),
    ] {
        let body = json!({"model": model, "input": "x", "store": false, "request_id": "resp_0a"}).to_string();
        let reply = asked_by("a", "POST", path, &body).refused();
        assert_eq!((reply.status, &json_of(&reply.body)["error"]["param"]), (400, &json!("request_id")), "{path}");
    }
    for (path, model) in [("/v1/responses", "local/m"), ("/told/chat/completions", "m")] {
        let body = json!({"model": model, "input": "x", "messages": [], "request_id": "r"}).to_string();
        assert_eq!(json_of(&asked_by("a", "POST", path, &body).sent().body)["request_id"], "r", "{path}");
    }
}

#[test]
fn accounts_that_differ_in_a_header_have_seals_of_their_own() {
    let gateway = gateway(
        r#"{"providers":{
            "one":{"kind":"openai","credential":{"env":"K"},"headers":{"OpenAI-Project":"p1"}},
            "two":{"kind":"openai","credential":{"env":"K"},"headers":{"OpenAI-Project":"p2"}},
            "same":{"kind":"openai","accounts":[
                {"name":"five","credential":{"env":"K"},"models":["gpt-5"]},
                {"name":"four","credential":{"env":"K"},"models":["gpt-4o"]}]}}}"#,
    );
    let id = sealed(&gateway, "two/gpt-5", "resp_0a");
    let sent = ask(&gateway, post(&format!("/v1/responses/{id}"), &[(":method", b"GET")]), &[]).sent();
    assert_eq!(whom(&sent).0, "two");
    assert_eq!(ask(&gateway, post(&format!("/one/responses/{id}"), &[(":method", b"GET")]), &[]).refused().status, 404);
    // Those that differ in nothing but their models can each go on.
    let id = sealed(&gateway, "same/gpt-4o", "resp_0a");
    let body = json!({"model": "gpt-4o", "input": "x", "previous_response_id": id}).to_string();
    let sent = ask(&gateway, post("/same/responses", &[]), &[body.as_bytes()]).sent();
    assert_eq!(whom(&sent), ("same".into(), "four".into()));
}
