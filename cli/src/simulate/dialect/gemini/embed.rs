//! Embeddings: embedContent of one content, batchEmbedContents of many.

use serde_json::{Value, json};

use super::{Stamp, operation, pretty, proto};
use crate::simulate::{
    complaint::Complaint,
    dialect::{
        Errand, ErrandBody,
        field::{list, number, string},
    },
    memory::Memory,
    record::Request,
    vector::embed,
};

const DIMENSIONS: usize = 3072;
const BATCH_MOST: usize = 100;

pub(super) fn run(request: &Request, _stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let (model, operation) = operation(request.uri.path()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Complaint::invalid(format!("Invalid JSON payload received. {error}")))?;
    let batch = operation == "batchEmbedContents";
    let body = proto::decode(&body, if batch { proto::Root::BatchEmbed } else { proto::Root::Embed })?;
    let mut tokens = 0_usize;
    let mut vector = |request: &Value, at: &str| {
        let text = text(request, at)?;
        tokens = tokens.saturating_add(text.chars().count().div_ceil(4));
        let values = embed(&text, dimensions(request, at)?);
        Ok::<Value, Complaint>(json!({"values": values}))
    };
    let mut answer = if batch {
        let requests: Vec<&Value> = list(&body, "/requests").collect();
        if requests.is_empty() {
            return Err(Complaint::invalid("* BatchEmbedContentsRequest.requests: requests is not specified\n"));
        }
        if requests.len() > BATCH_MOST {
            let message =
                format!("* BatchEmbedContentsRequest.requests: at most {BATCH_MOST} requests can be in one batch\n");
            return Err(Complaint::invalid(message));
        }
        let each = requests.iter().enumerate().map(|(index, request)| {
            let at = format!("* BatchEmbedContentsRequest.requests[{index}]");
            if string(request, "/model") != Some(&format!("models/{model}")) {
                let message = format!("{at}.model: must match the model in the parent request.\n");
                return Err(Complaint::invalid(message));
            }
            vector(request, &at)
        });
        json!({"embeddings": each.collect::<Result<Vec<Value>, Complaint>>()?})
    } else {
        json!({"embedding": vector(&body, "* EmbedContentRequest")?})
    };
    // The first generation does not count.
    if let Some(fields) = answer.as_object_mut().filter(|_| !model.ends_with("-001")) {
        fields.insert("usageMetadata".into(), json!({"promptTokenCount": tokens}));
    }
    let body = ErrandBody::Whole(pretty(&answer));
    Ok(Errand { model: model.to_owned(), content_type: "application/json; charset=UTF-8", body })
}

fn text(request: &Value, at: &str) -> Result<String, Complaint> {
    let parts: Vec<&str> = list(request, "/content/parts").filter_map(|part| string(part, "/text")).collect();
    if list(request, "/content/parts").next().is_none() {
        return Err(Complaint::invalid(format!("{at}.content: contents is not specified\n")));
    }
    let text = parts.join("\n");
    if text.is_empty() {
        return Err(Complaint::invalid(format!("{at}.content: content is empty\n")));
    }
    Ok(text)
}

fn dimensions(request: &Value, at: &str) -> Result<usize, Complaint> {
    let Some(given) = request.get("outputDimensionality").filter(|given| !given.is_null()) else {
        return Ok(DIMENSIONS);
    };
    number(request, "/outputDimensionality").filter(|given| (1..=DIMENSIONS).contains(given)).ok_or_else(|| {
        let message = format!("{at}.output_dimensionality: must be in the range [1, {DIMENSIONS}], got {given}\n");
        Complaint::invalid(message)
    })
}
