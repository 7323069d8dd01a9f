//! Speech from text, and text from speech. Nobody listens: the speech is noise that the text decides.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Errand, ErrandBody, JSON, Ordered, Stamp, form, params, pretty};
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{is, string},
    memory::Memory,
    record::Request,
    script::Random,
};

const FORMATS: [(&str, &str); 6] = [
    ("mp3", "audio/mpeg"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
    ("pcm", "audio/pcm"),
];
const EVENTS: &str = "text/event-stream; charset=utf-8";
/// Of speech, for each word.
const WORD_BYTES: usize = 2048;

pub(super) fn speak(request: &Request, _stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let body = params::json(&request.body)?;
    let fields = ["model", "input", "voice", "instructions", "response_format", "speed", "stream_format"];
    params::check_known(&body, &fields, "")?;
    let required = |name: &str| string(&body, &format!("/{name}")).ok_or_else(|| params::missing(name));
    let (model, input) = (required("model")?.to_owned(), required("input")?);
    if body.get("voice").is_none_or(Value::is_null) {
        return Err(params::missing("voice"));
    }
    params::check_length(input, 4096, "input")?;
    params::check_range(&body, "speed", 0.25, 4.0)?;
    let format = string(&body, "/response_format").unwrap_or("mp3");
    let Some((_, content_type)) = FORMATS.iter().find(|(name, _)| *name == format) else {
        return Err(params::unsupported_value(format, &FORMATS.map(|(name, _)| name), "response_format"));
    };
    let sounds = sounds(input);
    if string(&body, "/stream_format") != Some("sse") {
        return Ok(Errand { model, content_type, body: ErrandBody::Stream(sounds) });
    }
    let mut events: Vec<Vec<u8>> = sounds
        .iter()
        .map(|sound| event(&json!({"type": "speech.audio.delta", "audio": STANDARD.encode(sound)})))
        .collect();
    let tokens = input.chars().count().div_ceil(4);
    let usage = json!({"input_tokens": tokens, "output_tokens": sounds.len(), "total_tokens": tokens.saturating_add(sounds.len())});
    events.push(event(&json!({"type": "speech.audio.done", "usage": usage})));
    Ok(Errand { model, content_type: EVENTS, body: ErrandBody::Stream(events) })
}

/// Bytes of every value, a piece for each word.
fn sounds(text: &str) -> Vec<Vec<u8>> {
    let sound = |word: &str| {
        let seed = Sha256::digest(word).iter().take(8).fold(0_u64, |seed, byte| (seed << 8) | u64::from(*byte));
        let mut random = Random::new(seed);
        (0..WORD_BYTES).map(|_| u8::try_from(random.below(256)).unwrap_or(0)).collect()
    };
    text.split_whitespace().map(sound).collect()
}

fn event(value: &Value) -> Vec<u8> {
    format!("data: {}\n\n", serde_json::to_string(&Ordered(value)).unwrap_or_default()).into_bytes()
}

pub(super) fn transcribe(request: &Request, _stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let fields = form::read(request)?;
    let body = form::values(&fields);
    let Some(file) = fields.iter().find(|field| field.name == "file" && field.filename.is_some()) else {
        return Err(params::missing("file"));
    };
    let model = string(&body, "/model").ok_or_else(|| Complaint::invalid("you must provide a model parameter"))?;
    let name = file.filename.as_deref().unwrap_or_default();
    let text = format!("This is {model}, simulated. I heard {name} ({} bytes).", file.bytes.len());
    let model = model.to_owned();
    let seconds = file.bytes.len().div_ceil(16_000);
    let words = text.split_whitespace().count();
    let usage = if model.starts_with("whisper") {
        json!({"type": "duration", "seconds": seconds})
    } else {
        let details = json!({"text_tokens": 0, "audio_tokens": seconds});
        let total = seconds.saturating_add(words);
        json!({"type": "tokens", "total_tokens": total, "input_tokens": seconds, "input_token_details": details, "output_tokens": words})
    };
    if is(&body, "/stream", true) && !model.starts_with("whisper") {
        let mut events: Vec<Vec<u8>> = text
            .split_inclusive(' ')
            .map(|word| event(&json!({"type": "transcript.text.delta", "delta": word})))
            .collect();
        events.push(event(&json!({"type": "transcript.text.done", "text": text, "usage": usage})));
        events.push(b"data: [DONE]\n\n".to_vec());
        return Ok(Errand { model, content_type: EVENTS, body: ErrandBody::Stream(events) });
    }
    let plain = |text: String| (text.into_bytes(), "text/plain; charset=utf-8");
    let (body, content_type) = match string(&body, "/response_format").unwrap_or("json") {
        "json" => (pretty(&json!({"text": text, "usage": usage})), JSON),
        "verbose_json" => {
            let whole = json!({
                "task": "transcribe", "language": "english", "duration": seconds, "text": text, "segments": [], "usage": usage,
            });
            (pretty(&whole), JSON)
        }
        "text" => plain(format!("{text}\n")),
        "srt" => plain(format!("1\n00:00:00,000 --> 00:00:{seconds:02},000\n{text}\n\n")),
        "vtt" => plain(format!("WEBVTT\n\n00:00:00.000 --> 00:00:{seconds:02}.000\n{text}\n\n")),
        other => {
            let formats = ["json", "text", "srt", "verbose_json", "vtt"];
            return Err(params::unsupported_value(other, &formats, "response_format"));
        }
    };
    Ok(Errand { model, content_type, body: ErrandBody::Whole(body) })
}
