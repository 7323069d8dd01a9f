//! Answers, made up: written in OpenAI's format and read again they say the same, whole and streamed.

use std::borrow::Cow;

use dragoman_core::{
    chat::{Choice, Citation, Delta, Finish, Part, Response, TextPart, TokenLogprob, ToolCall},
    dialect::{Downstream, Upstream, openai_chat::OpenAiChat},
    sse::Decoder,
    usage::Usage,
};
use proptest::{option, prelude::*, sample::select};

use crate::identity;

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    "[a-zäß🐪\"\\\\\n ]{1,12}".prop_map(Cow::Owned)
}

fn call() -> impl Strategy<Value = ToolCall<'static>> {
    ("call_[a-z]{4}", "[a-z]{1,6}", text()).prop_map(|(id, name, arguments)| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments,
        signature: None,
    })
}

fn finish() -> impl Strategy<Value = Finish> {
    select(&[Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::ContentFilter][..])
}

fn citation() -> impl Strategy<Value = Citation<'static>> {
    (text(), text(), 0_u64..9, 0_u64..9).prop_map(|(url, title, start, length)| Citation::Url {
        url,
        title: Some(title),
        span: Some((start, start + length)),
    })
}

fn logprob() -> impl Strategy<Value = TokenLogprob<'static>> {
    let number = || (-800_i32..0).prop_map(|hundredths| f64::from(hundredths) / 100.0);
    (text(), number(), prop::collection::vec((text(), number()), 0..3)).prop_map(|(token, logprob, top)| TokenLogprob {
        token,
        logprob,
        top,
    })
}

/// All but what the format has no place for.
fn usage() -> impl Strategy<Value = Usage> {
    [0_u64..99_999, 0..999, 0..99, 0..99_999, 0..999, 0..99].prop_map(
        |[input, cached_input, audio_input, output, reasoning, audio_output]| Usage {
            input,
            cached_input,
            cache_write: 0,
            audio_input,
            output,
            reasoning,
            audio_output,
            images: 0,
        },
    )
}

/// In the order that the format has: a thought, a text, a refusal, calls.
fn choice() -> impl Strategy<Value = Choice<'static>> {
    let said = (text(), prop::collection::vec(citation(), 0..3))
        .prop_map(|(text, citations)| Part::Text(TextPart { text, citations, ..TextPart::default() }));
    let thought = text().prop_map(|text| Part::Thinking { text, signature: None });
    let parts = (
        option::of(thought),
        option::of(said),
        option::of(text().prop_map(Part::Refusal)),
        prop::collection::vec(call().prop_map(Part::ToolCall), 0..3),
    );
    (parts, finish(), prop::collection::vec(logprob(), 0..3)).prop_map(
        |((thought, said, refusal, calls), finish, logprobs)| Choice {
            parts: thought.into_iter().chain(said).chain(refusal).chain(calls).collect(),
            finish: Some(finish),
            logprobs,
        },
    )
}

fn response() -> impl Strategy<Value = Response<'static>> {
    (text(), text(), prop::collection::vec(choice(), 1..3), option::of(usage()), option::of(text())).prop_map(
        |(id, model, choices, usage, service_tier)| Response {
            id: Some(id),
            model: Some(model),
            choices,
            usage,
            service_tier,
        },
    )
}

/// A step in the middle of a stream.
fn delta() -> impl Strategy<Value = Delta<'static>> {
    let choice = || 0_u32..2;
    prop_oneof![
        4 => (choice(), text()).prop_map(|(choice, text)| Delta::Text { choice, text }),
        1 => (choice(), text()).prop_map(|(choice, text)| Delta::Thinking { choice, text }),
        1 => (choice(), text()).prop_map(|(choice, text)| Delta::Refusal { choice, text }),
        1 => (choice(), 0_u32..3, call()).prop_map(|(choice, call, begun)| Delta::ToolCall { choice, call, begun }),
        1 => (choice(), 0_u32..3, text()).prop_map(|(choice, call, json)| Delta::Arguments { choice, call, json }),
        1 => (choice(), citation()).prop_map(|(choice, citation)| Delta::Citation { choice, citation }),
        1 => (choice(), prop::collection::vec(logprob(), 1..3)).prop_map(|(choice, tokens)| Delta::Logprobs { choice, tokens }),
    ]
}

/// A stream from its beginning to its end; nothing is told of calls that never begin.
fn deltas() -> impl Strategy<Value = Vec<Delta<'static>>> {
    let start = (text(), text(), option::of(text())).prop_map(|(id, model, service_tier)| Delta::Start {
        id: Some(id),
        model: Some(model),
        service_tier,
    });
    (start, prop::collection::vec(delta(), 0..12), finish(), option::of(usage())).prop_map(
        |(start, middle, reason, usage)| {
            let middle = middle.into_iter().scan(Vec::new(), |begun, delta| {
                if let Delta::ToolCall { choice, call, .. } = &delta {
                    begun.push((*choice, *call));
                }
                let is_known = if let Delta::Arguments { choice, call, .. } = &delta {
                    begun.contains(&(*choice, *call))
                } else {
                    true
                };
                Some(is_known.then_some(delta))
            });
            let middle = middle.flatten();
            let end = [Some(Delta::Finish { choice: 0, reason }), usage.map(Delta::Usage), Some(Delta::End)];
            std::iter::once(start).chain(middle).chain(end.into_iter().flatten()).collect()
        },
    )
}

proptest! {
    #[test]
    fn a_whole_answer_that_is_written_and_read_again_says_the_same(response in response()) {
        let body = String::from_utf8(Downstream::write(&OpenAiChat, &response, &identity())).unwrap();
        let read = Upstream::read(&OpenAiChat, &body).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{response:?}"));
    }

    #[test]
    fn a_stream_that_is_written_and_read_again_says_the_same(deltas in deltas()) {
        let mut stream = Vec::new();
        let mut writer = OpenAiChat.writer(identity(), true);
        for delta in &deltas {
            writer.write(delta.clone(), &mut stream);
        }
        let (mut reader, mut read) = (OpenAiChat.reader(), Vec::new());
        let mut decoder = Decoder::new(OpenAiChat.framing().0);
        decoder
            .feed(&stream, |frame| reader.read(frame, &mut |delta| read.push(format!("{delta:?}"))).unwrap())
            .unwrap();
        prop_assert_eq!(read, deltas.iter().map(|delta| format!("{delta:?}")).collect::<Vec<_>>());
    }
}
