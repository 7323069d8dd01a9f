//! What earlier answers have left in a conversation, and who gets it.

use super::*;

#[test]
fn what_another_provider_left_in_a_history_does_not_reach_openai() {
    let body = br#"{"model":"m","temperature":1.0,"x":[1.50],"messages":[
        {"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},
        {"role":"assistant","content":null,"thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}],
         "tool_calls":[{"id":"call_1__thought__abc","type":"function","function":{"name":"f","arguments":"{}"},
                        "extra_content":{"google":{"thought_signature":"abc"}}}]},
        {"role":"tool","tool_call_id":"call_1__thought__abc","content":"ok"}]}"#;
    let sent = ask(&open(), post(CHAT, &[]), &[body]).sent();
    let text = std::str::from_utf8(&sent.body).unwrap();
    for foreign in ["cache_control", "thinking", "__thought__", "extra_content"] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
    assert!(text.contains(r#""tool_call_id":"call_1""#) && text.contains(r#""x":[1.50]"#), "{text}");
    let length = text.len().to_string();
    assert_eq!(carried(&sent.headers).headers().text("content-length"), Some(length.as_str()));
}

#[test]
fn only_what_proves_a_thought_is_worth_another_try() {
    let gateway = gateway(
        r#"{"providers":{"p":{"kind":"openai","base_url":"https://vllm.example/v1","credential":{"env":"A"}}},"models":{"p/m":{}}}"#,
    );
    let body = |member: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","content":"a"{member}}},{{"role":"user","content":"b"}}]}}"#
        )
    };
    let send = |member: &str| ask(&gateway, post(CHAT, &[]), &[body(member).as_bytes()]).sent();
    for plain in [r#","cache_control":{"type":"ephemeral"}"#, r#","reasoning_content":"hm""#] {
        assert_eq!(send(plain).plan.most_tries(), 1, "{plain}");
    }
    let refusal = br#"{"error":{"message":"m","code":"invalid_encrypted_content"}}"#;
    for proof in [
        r#","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}]"#,
        r#","extra_content":{"google":{"thought_signature":"abc"}}"#,
    ] {
        let first = send(proof);
        assert_eq!((first.plan.most_tries(), String::from_utf8_lossy(&first.body)), (2, body(proof).into()));
        let again = first.failed_in_words(400, refusal).sent();
        assert_eq!(String::from_utf8_lossy(&again.body), body(""), "the same bytes would be refused again");
    }
}

#[test]
fn a_thought_goes_back_to_who_may_want_it_and_to_nobody_who_refuses_it() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":"a","reasoning_content":"hm"},{"role":"user","content":"and?"}]}"#;
    for (host, is_kept) in [
        ("api.groq.com/openai", false),
        ("api.cerebras.ai", false),
        ("api.mistral.ai", false),
        // Wants its thoughts back as soon as tools are called.
        ("api.deepseek.com", true),
        ("vllm.example", true),
    ] {
        let gateway = format!(
            r#"{{"providers":{{"p":{{"kind":"openai","base_url":"https://{host}/v1","credential":{{"env":"A"}}}}}},"models":{{"p/m":{{}}}}}}"#
        );
        let sent = ask(&stage::gateway(&gateway), post(CHAT, &[]), &[body]).sent();
        assert_eq!(sent.body == body, is_kept, "{host}");
        assert_eq!(String::from_utf8_lossy(&sent.body).contains("reasoning_content"), is_kept, "{host}");
    }
}
