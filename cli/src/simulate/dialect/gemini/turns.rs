//! The order of contents: calls after a user, results right after their calls, and the signatures of thoughts.

use serde_json::Value;

use super::PURPOSE;
use crate::simulate::{
    complaint::Complaint,
    dialect::{
        field::{list, string},
        signature,
    },
};

/// Accepted in place of a signature, for calls that the model never made (documented since Gemini 3).
const EXCUSES: [&str; 2] = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// What is wrong with the contents. `must_sign`: the model is of a generation that wants its signatures back.
pub(super) fn check(request: &Value, must_sign: bool) -> Result<(), Complaint> {
    let contents: Vec<&Value> = list(request, "/contents").collect();
    if contents.is_empty() {
        return Err(Complaint::invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    for (index, content) in contents.iter().enumerate() {
        check_content(content, index)?;
    }
    for (index, content) in contents.iter().enumerate() {
        let previous = index.checked_sub(1).and_then(|previous| contents.get(previous)).copied();
        check_order(previous, content)?;
    }
    // The turn began with the last thing that a user said; before it, signatures are nobody's business.
    let begin = contents.iter().rposition(|content| !is_model(content) && count(content, "functionResponse") == 0);
    for (index, content) in contents.iter().enumerate() {
        check_signatures(content, index, must_sign && begin.is_none_or(|begin| index > begin))?;
    }
    Ok(())
}

fn is_model(content: &Value) -> bool {
    string(content, "/role") == Some("model")
}

fn count(content: &Value, field: &str) -> usize {
    list(content, "/parts").filter(|part| part.get(field).is_some()).count()
}

fn check_content(content: &Value, index: usize) -> Result<(), Complaint> {
    const DATA: [&str; 9] = [
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ];
    let at = format!("* GenerateContentRequest.contents[{index}].parts");
    if !matches!(content.get("role").map(Value::as_str), None | Some(Some("user" | "model" | "function"))) {
        return Err(Complaint::invalid("Please use a valid role: user, model."));
    }
    if list(content, "/parts").next().is_none() {
        return Err(Complaint::invalid(format!("{at}: contents.parts must not be empty.\n")));
    }
    for (place, part) in list(content, "/parts").enumerate() {
        let given = DATA.iter().filter(|field| part.get(**field).is_some()).count();
        // A signature may come alone, after what it signs.
        if given == 0 && part.get("thoughtSignature").is_none() {
            let message = "required oneof field 'data' must have one initialized field";
            return Err(Complaint::invalid(format!("{at}[{place}].data: {message}\n")));
        }
        if given > 1 {
            let message = format!(
                "Invalid value at 'contents[{index}].parts[{place}]' (oneof), oneof field 'data' is already set."
            );
            return Err(Complaint::invalid(message));
        }
        for (field, snake) in [("functionCall", "function_call"), ("functionResponse", "function_response")] {
            if part.get(field).is_some_and(|call| string(call, "/name").unwrap_or_default().is_empty()) {
                return Err(Complaint::invalid(format!("{at}[{place}].{snake}.name: Name cannot be empty.\n")));
            }
        }
        let data = string(part, "/inlineData/data");
        if data.is_some_and(|data| signature::decode(data).is_none()) {
            let message = format!(
                "Invalid value at 'contents[{index}].parts[{place}].inline_data.data' (TYPE_BYTES), Base64 decoding failed"
            );
            return Err(Complaint::invalid(message));
        }
        if part.get("inlineData").is_some() && string(part, "/inlineData/mimeType").unwrap_or_default().is_empty() {
            let message = "Unable to process input image: a mime type is required";
            return Err(Complaint::invalid(message));
        }
    }
    Ok(())
}

fn check_order(previous: Option<&Value>, content: &Value) -> Result<(), Complaint> {
    let calls = count(content, "functionCall");
    if calls > 0 && previous.is_none_or(is_model) {
        return Err(Complaint::invalid(
            "Please ensure that function call turn comes immediately after a user turn or after a function response \
             turn.",
        ));
    }
    let answered = count(content, "functionResponse");
    let called = previous.map_or(0, |previous| count(previous, "functionCall"));
    if answered > 0 && called == 0 {
        return Err(Complaint::invalid(
            "Please ensure that function response turn comes immediately after a function call turn.",
        ));
    }
    if called != answered {
        return Err(Complaint::invalid(
            "Please ensure that the number of function response parts is equal to the number of function call parts \
             of the function call turn.",
        ));
    }
    Ok(())
}

/// Of calls made together only the first is signed. Whatever signature there is must be one that was issued for it.
fn check_signatures(content: &Value, index: usize, must_sign: bool) -> Result<(), Complaint> {
    let mut calls = 0_usize;
    for part in list(content, "/parts") {
        let name = string(part, "/functionCall/name");
        if name.is_some() {
            calls = calls.saturating_add(1);
        }
        match string(part, "/thoughtSignature") {
            Some(given) if !is_valid(given, name.unwrap_or_default()) => {
                return Err(Complaint::invalid("Thought signature is not valid."));
            }
            None if must_sign && calls == 1 && name.is_some() => {
                return Err(Complaint::invalid(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools \
                     to work correctly, and missing thought_signature may lead to degraded model performance. \
                     Additional data, function call `default_api:{}` , position {}. Please refer to \
                     https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                    name.unwrap_or_default(),
                    index.saturating_add(1),
                )));
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn is_valid(given: &str, name: &str) -> bool {
    let decoded = signature::decode(given);
    let is_excuse = |excuse: &str| given == excuse || decoded.as_deref() == Some(excuse.as_bytes());
    EXCUSES.iter().any(|excuse| is_excuse(excuse)) || signature::is_issued(given, PURPOSE, name)
}
