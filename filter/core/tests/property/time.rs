//! Reading takes time in proportion to what is read: a client or a provider that repeats one thing must not be able to hold a
//! worker. One row for each list, text or table of names that a document may have any number of.
//!
//! Work cannot be counted from outside. What comes nearest is the processor's time that this thread had, which others on the
//! machine do not lengthen: to read a document eight times as long may take three times as long as to read the short one eight
//! times. What looks at everything once for each thing takes eight times as long.

use std::{rc::Rc, time::Duration};

use cpu_time::ThreadTime;
use dragoman_core::{
    auth::Caller,
    config,
    dialect::{
        Downstream, Upstream, Whole,
        anthropic::Anthropic,
        gemini::Gemini,
        head::StreamOptions,
        ollama::Ollama,
        openai_chat::{self, OpenAiChat, SCHEME, WANTED_OF_ANSWER},
        openai_responses::OpenAiResponses,
    },
    gateway::Gateway,
    json::Scanner,
    sse::{Decoder, Framing},
};

use crate::{
    DOWNSTREAMS, UPSTREAMS, aim, identity,
    stage::{self, ask, post},
};

/// What is read, and by whom. `⟦…⟧` is repeated with commas between, `⟪…⟫` without; `%` is the number of the repetition.
#[rustfmt::skip]
const DOCUMENTS: &[(Readers, &str)] = &[
    (REQUEST, r#"{"model":"m","messages":[⟦{"role":"user","content":"hi"}⟧]}"#),
    (REQUEST, r#"{"model":"m","messages":[⟦{"role":"system","name":"n","content":"hi"}⟧]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"⟪ä\n\u00e4⟫"}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":[⟦{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}⟧]}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":[⟦{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}⟧]}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,⟪AAAA⟫"}}]}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","thinking_blocks":[⟦{"type":"thinking","thinking":"a","signature":"s"},{"type":"thinking","thinking":"b"},{"type":"redacted_thinking","data":"d"}⟧]}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[⟦{"id":"c%","type":"function","function":{"name":"f%","arguments":"{}"}}⟧]},⟦{"role":"tool","tool_call_id":"c%","content":"r"}⟧]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[⟦{"id":"c__thought__AA","type":"function","function":{"name":"f","arguments":"{\"a\":[1,2]}"}}⟧]},⟦{"role":"tool","tool_call_id":"c__thought__AA","content":"r"}⟧]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{⟪\"a%\":1,⟫\"z\":1}"}}]}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[⟦{"type":"function","function":{"name":"f%","strict":true,"parameters":{"type":"object","properties":{}}}}⟧],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[⟦{"type":"function","function":{"name":"f%"}}⟧]}}}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{⟦"p%":{"type":"string"}⟧},"required":[⟦"p%"⟧],"additionalProperties":false,"$defs":{⟦"d%":{"$ref":"d%"}⟧}}}}]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{⟦"p%":{"type":"string","enum":["a","b"]}⟧},"required":[⟦"p%"⟧],"additionalProperties":false}}}}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"stop":[⟦"s%"⟧]}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"logit_bias":{⟦"%":1⟧}}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"options":{⟦"o%":1⟧},⟦"x%":1⟧,"min_p":1}"#),
    (REQUEST, r#"{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{⟦"oneOf":[{}]⟧}}}}"#),
    (MESSAGES, r#"{"model":"m","max_tokens":9,"system":[⟦{"type":"text","text":"a"}⟧],"messages":[⟦{"role":"user","content":"hi"}⟧]}"#),
    (MESSAGES, r#"{"model":"m","messages":[{"role":"user","content":[⟦{"type":"text","text":"a"},{"type":"search_result","title":"t","source":"s","content":[]}⟧]}],⟦"x%":1⟧}"#),
    (MESSAGES, r#"{"model":"m","messages":[{"role":"assistant","content":[⟦{"type":"thinking","thinking":"a","signature":""},{"type":"tool_use","id":"c%__thought__AA","name":"f%","input":{}}⟧]},{"role":"user","content":[⟦{"type":"tool_result","tool_use_id":"c%__thought__AA","content":"r"}⟧]}]}"#),
    (MESSAGES, r#"{"model":"m","messages":[⟦{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""}]}⟧]}"#),
    (MESSAGES, r#"{"model":"m","tools":[⟦{"name":"f%","input_schema":{},"x%":1,"type":"custom"}⟧],"messages":[{"role":"user","content":"a"}]}"#),
    (RESPONSES, r#"{"model":"m","instructions":"⟪ä\n\u00e4⟫","input":[⟦{"role":"user","content":[{"type":"input_text","text":"a"}]}⟧],⟦"x%":1⟧}"#),
    (RESPONSES, r#"{"model":"m","input":[{"role":"user","content":"a"},⟦{"type":"reasoning","summary":[],"encrypted_content":"anthropic__thought__s"},{"type":"function_call","call_id":"c%__thought__AA","name":"f%","arguments":"{}"}⟧,⟦{"type":"function_call_output","call_id":"c%__thought__AA","output":"r"}⟧]}"#),
    (RESPONSES, r#"{"model":"m","input":[{"role":"assistant","content":"a"},⟦{"type":"reasoning","summary":[],"encrypted_content":"gemini_text__thought__s"}⟧,{"type":"reasoning","summary":[⟦{"type":"summary_text","text":"a"}⟧]}]}"#),
    (RESPONSES, r#"{"model":"m","input":"a","tools":[⟦{"type":"custom","name":"f%","x%":1}⟧],"include":[⟦"x%"⟧],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[⟦{"type":"custom","name":"f%"}⟧]}}"#),
    (REFUSED, r#"{"model":"m","messages":[{"role":"user","content":"a"}],⟦"x%":1,"min_p":1⟧,"options":{⟦"o%":1⟧}}"#),
    (REFUSED, r#"{"model":"m","messages":[{"role":"user","content":"a"}],⟪"reasoning_effort":"low","user":"u","safety_identifier":"u",⟫"n":1}"#),
    (SCAN, r#"{"model":"m",⟦"x%":[{"a":[1.5e3,"\n\u00e4",true,null]}]⟧}"#),
    (SCAN, r#"{"model":"m","⟪name⟫":"⟪\\\"⟫"}"#),
    (SCAN, r#"{"model":"m","x":[⟦{"cache_control":1,"tool_call_id":"__thought_"}⟧],"⟪\u0061⟫":1}"#),
    (SCAN, r#"{"model":"m","x":[⟦{"type":"image_url","tools":[ ]}⟧, "⟪abcdefgh⟫"]}"#),
    (DECODER, "⟪data: a\r\n⟫\r\n"),
    (DECODER, "data: ⟪word ⟫\n\n"),
    (DECODER, "⟪data: a\n\n⟫"),
    (DECODER, "⟪\n⟫⟪\r⟫⟪: ping\n\n⟫"),
    (CONFIG, r#"{"providers":{⟦"p%":{"kind":"openai","base_url":"http://127.0.0.1:1","credential":{"env":"A%"}}⟧}}"#),
    (CONFIG, r#"{"providers":{"p":{"kind":"openai","accounts":[⟦{"name":"a%","credential":{"env":"A%"}}⟧],"headers":{⟦"x-%":"v"⟧}}}}"#),
    (CONFIG, r#"{"providers":{"p":{"kind":"ollama"}},"keys":[⟦{"id":"k%","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}⟧]}"#),
    (CONFIG, r#"{"providers":{⟦"p%":{"kind":"opnai","bse_url":1,"x":{}}⟧},⟦"prviders%":1⟧}"#),
    (MODELS, r#"{"providers":{"p":{"kind":"ollama"}},"models":{⟦"p/m%":{}⟧,⟦"p/m%-1":{"snapshot_of":"m%"}⟧},"aliases":{⟦"a%":["m%","a%0"]⟧},"fallback_models":[⟦"p/m%"⟧,⟦"a%"⟧]}"#),
    (MODELS, r#"{"providers":{⟦"p%":{"kind":"ollama"}⟧},"models":{⟦"p%/m":{}⟧,⟦"q%/m":{}⟧},"model_mapping":{⟦"m%":{"p%":"m"}⟧},"fallback_models":[⟦"p%/m"⟧]}"#),
    (MODELS, r#"{"providers":{"p":{"kind":"ollama"}},"routing":{⟦"r%":{"strategy":"fallback","targets":[{"routing":"s%"},"p/m"]}⟧,⟦"s%":{"strategy":"fallback","targets":["p/m"]}⟧}}"#),
    (MODELS, r#"{"providers":{"p":{"kind":"ollama"}},"routing":{"r":{"strategy":"rules","rules":[⟦{"when":{"headers":{"x-%":"a"}},"then":{"provider":"p","credential":{"value":"secret"}}}⟧]}}}"#),
    (CONFIG, r#"{"providers":{"p":{"kind":"ollama"}},"teams":{⟦"t%":{}⟧},"keys":[⟦{"id":"k%","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","team":"u%"}⟧]}"#),
    (WHOLE_OPENAI, r#"{"id":"c","model":"m","choices":[⟦{"index":%,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}⟧],"usage":{}}"#),
    (WHOLE_OPENAI, r#"{"choices":[{"message":{"content":"⟪ä\n⟫","tool_calls":[⟦{"id":"c%","function":{"name":"f","arguments":"{}"}}⟧],"annotations":[⟦{"type":"url_citation","url_citation":{"url":"u%"}}⟧]},"logprobs":{"content":[⟦{"token":"t","logprob":-1.5,"top_logprobs":[{"token":"t","logprob":-1}]}⟧]}}]}"#),
    (WHOLE_ANTHROPIC, r#"{"type":"message","content":[⟦{"type":"text","text":"ä","citations":[{"type":"web_search_result_location","url":"u%","title":"t","cited_text":"c"}]}⟧],"stop_reason":"end_turn"}"#),
    (WHOLE_ANTHROPIC, r#"{"type":"message","content":[{"type":"text","text":"⟪ä\n⟫","citations":[⟦{"type":"char_location","cited_text":"c","document_index":%}⟧]}],"stop_reason":"end_turn"}"#),
    (WHOLE_ANTHROPIC, r#"{"type":"message","content":[⟦{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"t%","name":"f","input":{"a":1}},{"type":"server_tool_use","id":"s%","name":"web_search","input":{}}⟧],"stop_reason":"tool_use"}"#),
    (WHOLE_GEMINI, r#"{"candidates":[{"content":{"parts":[⟦{"text":"a"},{"text":"t","thought":true},{"functionCall":{"name":"f%","args":{"a":1}},"thoughtSignature":"s"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}⟧]},"finishReason":"STOP"}]}"#),
    (WHOLE_GEMINI, r#"{"candidates":[{"content":{"parts":[{"text":"⟪ä⟫"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[⟦{"web":{"uri":"https://e.example/%","title":"t"}}⟧],"groundingSupports":[⟦{"segment":{"startIndex":%,"endIndex":%,"text":"a"},"groundingChunkIndices":[%]}⟧]},"citationMetadata":{"citationSources":[⟦{"startIndex":%,"endIndex":%,"uri":"u%"}⟧]}}]}"#),
    (WHOLE_GEMINI, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"⟪\u0061⟫"}}],"groundingSupports":[{"groundingChunkIndices":[⟦0⟧]}]}}]}"#),
    (WHOLE_GEMINI, r#"{"candidates":[⟦{"index":%,"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}⟧],"usageMetadata":{"promptTokensDetails":[⟦{"modality":"TEXT","tokenCount":1}⟧]}}"#),
    (WHOLE_GEMINI, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","logprobsResult":{"chosenCandidates":[⟦{"token":"t","logProbability":-1.5}⟧],"topCandidates":[⟦{"candidates":[{"token":"t","logProbability":-1}]}⟧]}}]}"#),
    (WHOLE_OLLAMA, r#"{"message":{"content":"⟪ä\n⟫","thinking":"⟪t⟫","images":[⟦"AA=="⟧],"tool_calls":[⟦{"function":{"name":"f","arguments":{"a":1}}}⟧]},"logprobs":[⟦{"token":"t","logprob":-1,"top_logprobs":[]}⟧],"done":true}"#),
    (STREAM_OPENAI, "⟪data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ä\",\"reasoning_content\":\"t\"}}]}\n\n⟫data: [DONE]\n\n"),
    (STREAM_OPENAI, "⟪data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%,\"id\":\"c%\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n⟫⟪data: {\"choices\":[{\"index\":%,\"delta\":{\"content\":\"a\"}}]}\n\n⟫"),
    (STREAM_OPENAI, "⟪data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%,\"id\":\"c%\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n⟫⟪data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%,\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n⟫"),
    (STREAM_ANTHROPIC, "data: {\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1}}}\n\n⟪data: {\"type\":\"content_block_start\",\"index\":%,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t%\",\"name\":\"f\",\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":%,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":%}\n\n⟫data: {\"type\":\"message_stop\"}\n\n"),
    (STREAM_ANTHROPIC, "data: {\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n⟪data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"ä\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"citations_delta\",\"citation\":{\"type\":\"web_search_result_location\",\"url\":\"u%\",\"title\":\"t\",\"cited_text\":\"c\"}}}\n\n⟫"),
    (STREAM_GEMINI, "⟪data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"ä\"},{\"text\":\"t\",\"thought\":true},{\"functionCall\":{\"name\":\"f%\",\"args\":{}}}]}}]}\n\n⟫"),
    (STREAM_GEMINI, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"willContinue\":true}}]}}]}\n\n⟪data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"partialArgs\":[{\"jsonPath\":\"$.a\",\"stringValue\":\"x\",\"willContinue\":true}],\"willContinue\":true}}]}}]}\n\n⟫"),
    (STREAM_GEMINI, "⟪data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"ä\"}]},\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://e.example/%\",\"title\":\"t\"}}],\"groundingSupports\":[{\"segment\":{\"endIndex\":2,\"text\":\"a\"},\"groundingChunkIndices\":[0]}]}}]}\n\n⟫"),
    (STREAM_OLLAMA, "⟪{\"message\":{\"content\":\"ä\",\"thinking\":\"t\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]},\"done\":false}\n⟫"),
    (FAULT, r#"{"error":{"message":"⟪the context length exceeds sk- ⟫","status":"X","details":[⟦{"@type":"t","reason":"r%"}⟧]}}"#),
    (FAULT, r#"{"error":"⟪ä\n⟫"}"#),
];

/// Each of them reads the document; which of them, their names say.
type Readers = &'static [(&'static str, fn(&str))];

const REQUEST: Readers = &[
    ("OpenAI's request", |text| write(text, 0)),
    ("a request for Anthropic", |text| write(text, 1)),
    ("a request for Gemini", |text| write(text, 2)),
    ("a request for Ollama", |text| write(text, 3)),
    ("a request passed on", pass_on),
];
const MESSAGES: Readers = &[
    ("a request of Messages", |text| translate(&Anthropic, text)),
    ("a request of Messages passed on", |text| splice(&Anthropic, text)),
];
const RESPONSES: Readers = &[
    ("a request of Responses", |text| translate(&OpenAiResponses, text)),
    ("a request of Responses passed on", |text| splice(&OpenAiResponses, text)),
    ("what an answer repeats of it", |text| drop(OpenAiResponses.echo(text))),
];
const REFUSED: Readers = &[("a refused request", |text| {
    Downstream::read(&OpenAiChat, text).expect_err("the document is no request");
})];
const SCAN: Readers = &[("the scan of a request", pass_on), ("the scan of an answer", scan_answer)];
const DECODER: Readers =
    &[("events", |text| decode(text, Framing::Events)), ("lines", |text| decode(text, Framing::Lines))];
const CONFIG: Readers = &[("the configuration", configure)];
const MODELS: Readers = &[("the list of models", list)];
const WHOLE_OPENAI: Readers =
    &[("OpenAI's answer", |text| read(&OpenAiChat, text)), ("an answer passed on", scan_answer)];
const WHOLE_ANTHROPIC: Readers = &[("Anthropic's answer", |text| read(&Anthropic, text))];
const WHOLE_GEMINI: Readers = &[("Gemini's answer", |text| read(&Gemini, text))];
const WHOLE_OLLAMA: Readers = &[("Ollama's answer", |text| read(&Ollama, text))];
const STREAM_OPENAI: Readers = &[
    ("OpenAI's stream", |text| stream(&OpenAiChat, text)),
    ("OpenAI's stream in pieces", |text| exchange("openai", "text/event-stream", text)),
];
const STREAM_ANTHROPIC: Readers = &[
    ("Anthropic's stream", |text| stream(&Anthropic, text)),
    ("Anthropic's stream in pieces", |text| exchange("anthropic", "text/event-stream", text)),
];
const STREAM_GEMINI: Readers = &[
    ("Gemini's stream", |text| stream(&Gemini, text)),
    ("Gemini's stream in pieces", |text| exchange("gemini", "text/event-stream", text)),
];
const STREAM_OLLAMA: Readers = &[
    ("Ollama's stream", |text| stream(&Ollama, text)),
    ("Ollama's stream in pieces", |text| exchange("ollama", "application/x-ndjson", text)),
];
const FAULT: Readers = &[("an error", |text| {
    for (upstream, _) in UPSTREAMS {
        drop(upstream.fault(500, text.as_bytes()));
        upstream.retry_after(text.as_bytes());
    }
})];

/// A target may refuse what it cannot do, but the request is one.
fn write(text: &str, upstream: usize) {
    let request = Downstream::read(&OpenAiChat, text).expect("the document is a request");
    let (upstream, model) = UPSTREAMS[upstream];
    drop(upstream.write(&request, &aim(model)));
}

fn translate(format: &dyn Downstream, text: &str) {
    let request = format.read(text).expect("the document is a request");
    drop(Upstream::write(&OpenAiChat, &request, &aim("m")));
}

fn splice(format: &dyn Downstream, text: &str) {
    let mut scanner = format.scheme().scanner();
    let fed = text.as_bytes().chunks(7).try_for_each(|piece| scanner.feed(piece));
    let read = format.scheme().read(fed.and_then(|()| scanner.finish()), text.len());
    let body = Rc::new(text.as_bytes().to_vec());
    let request = read.expect("the document is a request");
    let spliced = format.splice(&request, &aim("target"), &mut || Rc::clone(&body));
    spliced.edits.apply_in_place(&mut text.as_bytes().to_vec());
}

fn pass_on(text: &str) {
    let mut scanner = SCHEME.scanner();
    let fed = text.as_bytes().chunks(7).try_for_each(|piece| scanner.feed(piece));
    let request = SCHEME.read(fed.and_then(|()| scanner.finish()), text.len()).expect("the document is a request");
    let edits = request.edits("target", StreamOptions::Cut, Some("max_tokens"));
    edits.apply_in_place(&mut text.as_bytes().to_vec());
}

fn scan_answer(text: &str) {
    let mut scanner = Scanner::new(WANTED_OF_ANSWER);
    text.as_bytes().chunks(7).try_for_each(|piece| scanner.feed(piece)).expect("the document is JSON");
    let found = scanner.finish().expect("the document is JSON");
    assert!(!matches!(openai_chat::whole(&found), Whole::Error(_)));
}

fn decode(text: &str, framing: Framing) {
    let mut decoder = Decoder::new(framing);
    for piece in text.as_bytes().chunks(3) {
        decoder.feed(piece, |frame| drop(frame.data())).expect("no frame is too long");
    }
}

fn configure(text: &str) {
    if let Ok(config) = config::parse(text) {
        drop(Gateway::new(&config, |name| Some(name.to_owned())));
        drop(config::to_json(&config));
    }
}

fn list(text: &str) {
    let config = config::parse(text).expect("the document is a configuration");
    let catalogue = Gateway::new(&config, |name| Some(name.to_owned())).catalogue;
    drop(catalogue.list(&Caller::Anonymous, "", None));
    drop(catalogue.list(&Caller::Anonymous, "group_snapshots=1", None));
}

fn read(upstream: &dyn Upstream, text: &str) {
    let response = upstream.read(text).expect("the document is an answer");
    for (downstream, _, _) in DOWNSTREAMS {
        downstream.write(&response, &identity());
    }
}

fn stream(upstream: &dyn Upstream, text: &str) {
    let mut is_told = false;
    for (downstream, _, _) in DOWNSTREAMS {
        let (mut reader, mut writer, mut out) = (upstream.reader(), downstream.writer(identity(), true), Vec::new());
        let fed = Decoder::new(upstream.framing().0).feed(text.as_bytes(), |frame| {
            reader.read(frame, &mut |delta| writer.write(delta, &mut out)).expect("the document is a stream");
        });
        fed.expect("no frame is too long");
        is_told |= !out.is_empty();
    }
    assert!(is_told, "somebody has words for it");
}

fn exchange(kind: &str, media_type: &str, text: &str) {
    let gateway =
        stage::gateway(&format!(r#"{{"providers":{{"p":{{"kind":"{kind}","base_url":"http://127.0.0.1:1/v1"}}}}}}"#));
    let request = br#"{"model":"p/m","messages":[{"role":"user","content":"x"}],"stream":true}"#;
    let sent = ask(&gateway, post("/v1/chat/completions", &[]), &[request]).sent();
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(50).collect();
    assert_eq!(sent.answered(200, &[("content-type", media_type)], &pieces).status, 200);
}

/// The document of a template, each of whose repetitions stands so often.
fn document(template: &str, times: usize) -> String {
    let mut pieces = template.split_inclusive(['⟦', '⟧', '⟪', '⟫']);
    let mut text = String::new();
    while let Some(before) = pieces.next() {
        text.push_str(before.trim_end_matches(['⟦', '⟪']));
        if before.ends_with(['⟦', '⟪']) {
            let separator = if before.ends_with('⟦') { "," } else { "" };
            let item = pieces.next().expect("what is opened is closed").trim_end_matches(['⟧', '⟫']);
            let items: Vec<String> = (0..times).map(|time| item.replace('%', &time.to_string())).collect();
            text.push_str(&items.join(separator));
        }
    }
    text
}

fn cost(read: fn(&str), text: &str, times: usize) -> Duration {
    let start = ThreadTime::now();
    (0..times).for_each(|_| read(text));
    start.elapsed()
}

fn is_in_proportion(read: fn(&str), template: &str) -> bool {
    const FEW: usize = 400;
    const TIMES: usize = 8;
    let (short, long) = (document(template, FEW), document(template, FEW * TIMES));
    // Others use the same caches: it is enough that one of a few tries was not disturbed.
    (0..8).any(|_| cost(read, &long, 1) < cost(read, &short, TIMES) * 4)
}

#[test]
fn what_is_longer_takes_longer_in_proportion() {
    let readings =
        DOCUMENTS.iter().flat_map(|(readers, template)| readers.iter().map(move |reader| (reader, template)));
    let slow = readings.filter(|((_, read), template)| !is_in_proportion(*read, template));
    let slow: Vec<String> = slow.map(|((name, _), template)| format!("{name}: {template}")).collect();
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

#[test]
fn what_looks_at_everything_once_for_each_thing_is_found() {
    let pairs = |text: &str| {
        let bytes = text.as_bytes();
        assert!(bytes.iter().all(|a| bytes.iter().all(|b| std::hint::black_box(a) == b)));
    };
    assert!(!is_in_proportion(pairs, "⟪a⟫"));
}
