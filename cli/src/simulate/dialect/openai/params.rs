//! What is wrong with the parameters of a request, in the words of the newer `OpenAI` APIs.

use serde_json::Value;

use crate::simulate::complaint::{Complaint, Reason};

/// The body of a request.
pub(super) fn json(body: &[u8]) -> Result<Value, Complaint> {
    serde_json::from_slice(body).map_err(|_| {
        let message = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using \
                       your HTTP library correctly. The API expects a JSON payload.)";
        Complaint::new(400, Reason::Malformed, message)
    })
}

pub(super) fn unknown(name: &str) -> Complaint {
    Complaint::invalid(format!("Unknown parameter: '{name}'.")).about(name.to_owned()).coded("unknown_parameter")
}

pub(super) fn missing(name: &str) -> Complaint {
    let message = format!("Missing required parameter: '{name}'.");
    Complaint::new(400, Reason::MissingField, message).about(name.to_owned())
}

/// One of its fields that nobody knows. `at` is the place with its dot, or nothing.
pub(super) fn check_known(value: &Value, known: &[&str], at: &str) -> Result<(), Complaint> {
    let stranger = value.as_object().and_then(|fields| fields.keys().find(|name| !known.contains(&name.as_str())));
    stranger.map_or(Ok(()), |name| Err(unknown(&format!("{at}{name}"))))
}

/// A value that is none of those there are.
pub(super) fn unsupported_value(given: &str, supported: &[&str], at: &str) -> Complaint {
    let mut names: Vec<String> = supported.iter().map(|name| format!("'{name}'")).collect();
    if let [.., _, last] = names.as_mut_slice() {
        last.insert_str(0, "and ");
    }
    let separator = if names.len() == 2 { " " } else { ", " };
    let message = format!("Invalid value: '{given}'. Supported values are: {}.", names.join(separator));
    Complaint::invalid(message).about(at.to_owned()).coded("invalid_value")
}

/// A parameter that this model does not take.
pub(super) fn unsupported(name: &'static str) -> Complaint {
    let message = format!("Unsupported parameter: '{name}' is not supported with this model.");
    Complaint::invalid(message).about(name).coded("unsupported_parameter")
}

/// A value of the wrong type.
pub(super) fn mistyped(value: &Value, wanted: &str, at: &str) -> Complaint {
    let (article, found) = match value {
        Value::Null => ("", "null"),
        Value::Bool(_) => ("a ", "boolean"),
        Value::Number(number) if number.is_f64() => ("a ", "decimal"),
        Value::Number(_) => ("an ", "integer"),
        Value::String(_) => ("a ", "string"),
        Value::Array(_) => ("an ", "array"),
        Value::Object(_) => ("an ", "object"),
    };
    let message = format!("Invalid type for '{at}': expected {wanted}, but got {article}{found} instead.");
    Complaint::invalid(message).about(at.to_owned()).coded("invalid_type")
}

/// A text that is longer than there is room for.
pub(super) fn check_length(text: &str, most: usize, at: &str) -> Result<(), Complaint> {
    let length = text.chars().count();
    if length <= most {
        return Ok(());
    }
    let message = format!(
        "Invalid '{at}': string too long. Expected a string with maximum length {most}, but got a string with length \
         {length} instead."
    );
    Err(Complaint::invalid(message).about(at.to_owned()).coded("string_above_max_length"))
}

/// A name as tools may have it.
pub(super) fn check_name(name: &str, at: &str) -> Result<(), Complaint> {
    check_length(name, 64, at)?;
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        return Ok(());
    }
    let message = format!(
        "Invalid '{at}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    );
    Err(Complaint::invalid(message).about(at.to_owned()).coded("invalid_value"))
}

/// A number out of its bounds.
pub(super) fn check_range(value: &Value, name: &'static str, least: f64, most: f64) -> Result<(), Complaint> {
    let Some(given) = value.get(name).filter(|given| !given.is_null()) else { return Ok(()) };
    let Some(number) = given.as_f64() else { return Err(mistyped(given, "a decimal", name)) };
    let kind = if given.is_f64() || least.fract() > 0.0 { "decimal" } else { "integer" };
    let (bound, word, code) = if number < least {
        (least, "below minimum value. Expected a value >=", format!("{kind}_below_min_value"))
    } else if number > most {
        (most, "above maximum value. Expected a value <=", format!("{kind}_above_max_value"))
    } else {
        return Ok(());
    };
    let message = format!("Invalid '{name}': {kind} {word} {bound}, but got {given} instead.");
    let code =
        ["integer_below_min_value", "integer_above_max_value", "decimal_below_min_value", "decimal_above_max_value"]
            .into_iter()
            .find(|known| *known == code);
    let complaint = Complaint::invalid(message).about(name);
    Err(code.map_or_else(|| complaint.clone(), |code| complaint.clone().coded(code)))
}

/// The models that think before they answer, by their names.
pub(super) fn thinks(model: &str) -> bool {
    let model = model.rsplit('/').next().unwrap_or(model);
    let series = model.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    (series || model.starts_with("gpt-5") || model.starts_with("gpt-oss")) && !model.starts_with("gpt-5-chat")
}
