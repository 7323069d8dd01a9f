//! What a simulated model answers, in no dialect's terms.
//!
//! The answer is made of what was asked (the last user text, the tools, the schema, the images), so that a client can
//! see that its request arrived whole; it depends on nothing else, so that a test can expect it word for word.
//!
//! A token is a word with the space before it, or five characters of a tool call's arguments. Streams send one token
//! an event, `max_tokens` counts them and so does the usage: the three agree.

use std::fmt::Write as _;

use super::{
    question::{Cache, Format, Question, Tool, ToolChoice},
    schema,
};

/// What the model says.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// None at all where the prompt was blocked.
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
}

#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// What is shown of the thinking, a summary as providers make it: shorter than what it is charged as.
    pub(super) thoughts: Vec<String>,
    pub(super) content: Content,
    pub(super) finish: Finish,
    /// The stop sequence that ended it.
    pub(super) stop: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(Vec<String>),
    Refusal(Vec<String>),
    Calls(Vec<Call>),
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// JSON text, in the tokens that a stream sends.
    pub(super) arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// All of the input, the cached parts too.
    pub(super) input: usize,
    pub(super) cache: Cache,
    /// All of the output, the reasoning too.
    pub(super) output: usize,
    /// The part of the output that was thought and not said.
    pub(super) reasoning: usize,
}

/// Tokens that a reasoning model is said to have thought.
const REASONING_TOKENS: usize = 64;
/// A long prompt is not repeated whole.
const ECHO_CHARS: usize = 400;

impl Answer {
    /// The model's answer.
    pub(super) fn to(question: &Question) -> Self {
        let choices: Vec<Choice> = (0..question.choices.max(1)).map(|index| Choice::nth(index, question)).collect();
        let reasoning = if question.reasoning { REASONING_TOKENS } else { 0 };
        let said: usize = choices.iter().map(|choice| choice.content.tokens()).sum();
        let usage = Usage {
            input: question.input_tokens,
            cache: question.cache,
            output: said.saturating_add(reasoning),
            reasoning,
        };
        Self { choices, usage: Some(usage) }
    }

    /// A refusal to answer.
    pub(super) fn refuse(&mut self) {
        for choice in &mut self.choices {
            choice.content = Content::Refusal(words("I'm sorry, but I can't help with that."));
            choice.finish = Finish::Stop;
        }
        self.recount();
    }

    /// An answer that a content filter ended after its first words.
    pub(super) fn filter(&mut self) {
        for choice in &mut self.choices {
            choice.content = Content::Text(words("This is"));
            choice.finish = Finish::ContentFilter;
        }
        self.recount();
    }

    /// An answer that ends in a tool call which is not there.
    pub(super) fn fail_to_call(&mut self) {
        for choice in &mut self.choices {
            choice.content = Content::Text(Vec::new());
            choice.finish = Finish::ToolCalls;
        }
        self.recount();
    }

    /// No answer, because the prompt was blocked.
    pub(super) fn block(&mut self) {
        self.choices.clear();
        if let Some(usage) = &mut self.usage {
            usage.reasoning = 0;
        }
        self.recount();
    }

    fn recount(&mut self) {
        let said: usize = self.choices.iter().map(|choice| choice.content.tokens()).sum();
        if let Some(usage) = &mut self.usage {
            usage.output = said.saturating_add(usage.reasoning);
        }
    }
}

impl Choice {
    fn nth(index: usize, question: &Question) -> Self {
        let thoughts = if question.reasoning && question.shows_thoughts { thoughts(question) } else { Vec::new() };
        let calls = calls(question);
        if !calls.is_empty() {
            return Self { thoughts, content: Content::Calls(calls), finish: Finish::ToolCalls, stop: None };
        }
        let mut text = match &question.format {
            Format::Schema(schema) => schema::example(schema).to_string(),
            Format::Object => {
                serde_json::json!({"model": question.model, "you_said": clip(&question.text)}).to_string()
            }
            Format::Text => prose(question),
        };
        if index > 0 && matches!(question.format, Format::Text) {
            // Writing to a String cannot fail.
            let _infallible = write!(text, " (Choice {}.)", index.saturating_add(1));
        }
        let mut stopped = None;
        for stop in question.stop.iter().filter(|stop| !stop.is_empty()) {
            if let Some((before, _)) = text.split_once(stop.as_str()) {
                text = before.to_owned();
                stopped = Some(stop.clone());
            }
        }
        let mut tokens = words(&text);
        let limit = question.max_tokens.unwrap_or(usize::MAX);
        let finish = if tokens.len() > limit { Finish::Length } else { Finish::Stop };
        tokens.truncate(limit);
        let stop = stopped.filter(|_| finish == Finish::Stop);
        Self { thoughts, content: Content::Text(tokens), finish, stop }
    }
}

impl Content {
    fn tokens(&self) -> usize {
        match self {
            Self::Text(tokens) | Self::Refusal(tokens) => tokens.len(),
            Self::Calls(calls) => calls.iter().map(|call| call.arguments.len().saturating_add(5)).sum(),
        }
    }
}

/// The tool calls that the model makes: none once it has results, unless it must.
///
/// It must then call the last tool, which agents that want their result as a call put last; the first would have them
/// loop for ever.
fn calls(question: &Question) -> Vec<Call> {
    let answered = !question.tool_results.is_empty();
    let parallel = !question.one_tool_call && question.text.to_lowercase().contains("parallel");
    let chosen: Vec<&Tool> = match &question.tool_choice {
        ToolChoice::Never => Vec::new(),
        ToolChoice::Named(name) => question.tools.iter().filter(|tool| tool.name == *name).collect(),
        ToolChoice::Auto if answered => Vec::new(),
        ToolChoice::Required if answered => question.tools.last().into_iter().collect(),
        ToolChoice::Auto | ToolChoice::Required if parallel => question.tools.iter().collect(),
        ToolChoice::Auto | ToolChoice::Required => question.tools.iter().take(1).collect(),
    };
    chosen
        .into_iter()
        .map(|tool| Call {
            name: tool.name.clone(),
            arguments: slices(&schema::example(&tool.parameters).to_string(), 5),
        })
        .collect()
}

fn thoughts(question: &Question) -> Vec<String> {
    words(&format!("The user said: {}\n\nI will answer that I am simulated.", clip(&question.text)))
}

fn prose(question: &Question) -> String {
    let mut text = format!("This is {}, simulated.", question.model);
    if question.tool_results.is_empty() {
        if !question.text.is_empty() {
            let _infallible = write!(text, " You said: {}", clip(&question.text));
        }
    } else {
        for result in &question.tool_results {
            let _infallible = write!(text, " The tool answered: {}", clip(result));
        }
    }
    if !question.images.is_empty() {
        let count = question.images.len();
        let noun = if count == 1 { "image" } else { "images" };
        let _infallible = write!(text, " I see {count} {noun}: {}.", question.images.join(", "));
    }
    if !question.documents.is_empty() {
        let count = question.documents.len();
        let noun = if count == 1 { "file" } else { "files" };
        let _infallible = write!(text, " I read {count} {noun}: {}.", question.documents.join(", "));
    }
    text
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(ECHO_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// The words of a text, each with the white space before it: together they are the text.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut in_word = true;
    for character in text.chars() {
        let starts = character.is_whitespace() && in_word;
        in_word = !character.is_whitespace();
        match words.last_mut() {
            Some(word) if !starts => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    words
}

/// The text in slices of `length` characters.
fn slices(text: &str, length: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length.max(1)).map(|slice| slice.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asking(text: &str) -> Question {
        Question { model: "m".into(), text: text.into(), ..Question::default() }
    }

    fn said(answer: &Answer) -> String {
        match &answer.choices[0].content {
            Content::Text(tokens) | Content::Refusal(tokens) => tokens.concat(),
            Content::Calls(calls) => panic!("{calls:?}"),
        }
    }

    #[test]
    fn words_are_the_text() {
        for text in ["", " ", "one", " two words ", "a\n\n b", "Grüße, 🦀 !"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("This is it."), ["This", " is", " it."]);
    }

    #[test]
    fn the_answer_repeats_what_the_user_said() {
        assert_eq!(said(&Answer::to(&asking("hello"))), "This is m, simulated. You said: hello");
    }

    #[test]
    fn a_long_text_is_not_repeated_whole() {
        assert!(said(&Answer::to(&asking(&"ü".repeat(100_000)))).len() < 1000);
    }

    #[test]
    fn usage_counts_the_tokens_that_max_tokens_limits() {
        let mut question = asking("one two three");
        question.max_tokens = Some(3);
        let answer = Answer::to(&question);
        assert_eq!(said(&answer), "This is m,");
        assert_eq!(answer.choices[0].finish, Finish::Length);
        assert_eq!(answer.usage.unwrap().output, 3);
    }

    #[test]
    fn a_stop_sequence_ends_the_answer_before_it() {
        let mut question = asking("one two");
        question.stop = vec!["simulated".into()];
        assert_eq!(said(&Answer::to(&question)), "This is m, ");
    }

    #[test]
    fn all_tools_are_called_when_the_user_says_parallel() {
        let tool = |name: &str| Tool { name: name.into(), parameters: json!({"type": "object"}) };
        let mut question = asking("call them in parallel");
        question.tools = vec![tool("a"), tool("b")];
        let count = |question: &Question| match &Answer::to(question).choices[0].content {
            Content::Calls(calls) => calls.len(),
            Content::Text(_) | Content::Refusal(_) => 0,
        };
        assert_eq!(count(&question), 2);
        question.one_tool_call = true;
        assert_eq!(count(&question), 1);
        question.tool_choice = ToolChoice::Never;
        assert_eq!(count(&question), 0);
        question.tool_choice = ToolChoice::Auto;
        question.tool_results = vec!["42".into()];
        assert_eq!(count(&question), 0);
    }

    #[test]
    fn a_forced_call_is_made_also_when_there_are_results_and_is_then_the_last_tool() {
        let tool = |name: &str| Tool { name: name.into(), parameters: json!({"type": "object"}) };
        let mut question = asking("x");
        question.tools = vec![tool("a"), tool("b")];
        question.tool_choice = ToolChoice::Required;
        let called = |question: &Question| match &Answer::to(question).choices[0].content {
            Content::Calls(calls) => calls.iter().map(|call| call.name.clone()).collect(),
            Content::Text(_) | Content::Refusal(_) => Vec::new(),
        };
        assert_eq!(called(&question), ["a"]);
        question.tool_results = vec!["42".into()];
        assert_eq!(called(&question), ["b"]);
        question.tool_choice = ToolChoice::Named("a".into());
        assert_eq!(called(&question), ["a"]);
    }

    #[test]
    fn thoughts_are_charged_when_there_are_any_and_shown_when_asked_for() {
        let mut question = asking("why?");
        question.reasoning = true;
        let hidden = Answer::to(&question);
        question.shows_thoughts = true;
        let shown = Answer::to(&question);
        assert!(hidden.choices[0].thoughts.is_empty() && shown.choices[0].thoughts.concat().contains("why?"));
        assert_eq!((hidden.usage, hidden.usage.unwrap().reasoning), (shown.usage, 64));
    }
}
