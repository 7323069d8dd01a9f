// The official Node SDK through the gateway: what applications do with it, whatever the provider speaks.
//
// Run by test_node.py, a process a dialect: the gateway is in the environment, and so is the row of the table.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const { DRAGOMAN_URL: baseURL, DRAGOMAN_KEY: apiKey, DRAGOMAN_DIALECT } = process.env;
const dialect = JSON.parse(DRAGOMAN_DIALECT);
const { model, provider } = dialect;
// No retries: a test of an error wants the first answer.
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
const completions = client.chat.completions;

const hello = [{ role: "user", content: "Hello" }];
const parallel = [{ role: "user", content: "In parallel, please" }];
const failing = (fault) => `${model}-sim-${fault}`;
const tool = (name, properties) => ({
  type: "function",
  function: {
    name,
    parameters: { type: "object", properties, required: Object.keys(properties), additionalProperties: false },
  },
});
const tools = [tool("weather", { city: { type: "string", enum: ["Paris"] } }), tool("clock", {})];
const Event = z.object({ name: z.string(), participants: z.array(z.string()), seats: z.number().int() });

const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const ask = async (streamed, body) =>
  streamed ? (await completions.stream(body).finalChatCompletion()).choices[0] : (await completions.create(body)).choices[0];
const results = (message) =>
  message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: `${call.function.name} done` }));

test("a chat is answered with its usage and says who served it", async () => {
  const { data, response } = await completions.create({ model, messages: hello }).withResponse();
  assert.match(data.choices[0].message.content, /Hello/);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.equal(response.headers.get("x-dragoman-provider"), provider);
});

test("each model that is listed can be retrieved", async () => {
  const listed = [];
  for await (const listing of client.models.list()) listed.push(listing);
  assert.ok(listed.some(({ id }) => id.startsWith("openai/")));
  assert.equal(listed.at(-1).id, "house");
  for (const listing of listed) assert.deepEqual({ ...(await client.models.retrieve(listing.id)) }, { ...listing });
  await assert.rejects(client.models.retrieve("openai/nothing"), OpenAI.NotFoundError);
});

test("a stream ends with its usage and is the same answer", async () => {
  const chunks = await collect(
    await completions.create({ model, messages: hello, stream: true, stream_options: { include_usage: true } }),
  );
  const whole = await completions.create({ model, messages: hello });
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.deepEqual(chunks.at(-1).usage, whole.usage);
});

test("leaving a stream early leaves the gateway well", async () => {
  const stream = await completions.create({ model: failing("slow-50"), messages: hello, stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    break;
  }
  assert.ok((await completions.create({ model, messages: hello })).choices.length);
});

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  test(`parallel calls make their round trip, over turns, ${how}`, async () => {
    const messages = [];
    for (const question of [...parallel, { role: "user", content: "Again, in parallel" }]) {
      messages.push(question);
      const called = await ask(streamed, { model, messages, tools });
      assert.equal(called.finish_reason, "tool_calls");
      const calls = called.message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
      assert.deepEqual(calls, [["weather", { city: "Paris" }], ["clock", {}]]);
      messages.push(called.message, ...results(called.message));
      const said = await ask(streamed, { model, messages, tools });
      assert.match(said.message.content, /weather done.*clock done/);
      messages.push(said.message);
    }
  });

  test(`structured output fits its schema, ${how}`, async () => {
    const body = { model, messages: hello, response_format: zodResponseFormat(Event, "event") };
    const answer = streamed ? await completions.stream(body).finalChatCompletion() : await completions.parse(body);
    assert.ok(Event.safeParse(answer.choices[0].message.parsed).success);
    assert.equal(answer.choices[0].finish_reason, "stop");
  });

  for (const thinker of dialect.thinkers) {
    test(`${thinker} thinks, is seen to, and takes its tools' results, ${how}`, async () => {
      const body = { model: thinker, tools, reasoning_effort: "high" };
      const messages = [...parallel];
      const called = await ask(streamed, { ...body, messages });
      // The SDK's helper for streams keeps the last piece of a field that it does not know, and sends that back.
      assert.match(called.message.reasoning_content ?? "", streamed ? /simulated\.$/ : /^The user said: In parallel/);
      assert.equal(called.message.tool_calls.length, 2);
      messages.push(called.message, ...results(called.message));
      const said = await ask(streamed, { ...body, messages });
      assert.match(said.message.content, /weather done.*clock done/);
      messages.push(said.message, ...parallel);
      assert.equal((await ask(streamed, { ...body, messages })).message.tool_calls.length, 2);
    });
  }
}

test("the SDK's runner calls the tools by itself", async () => {
  const parameters = z.object({ city: z.literal("Paris") });
  const weather = zodFunction({ name: "weather", parameters, function: ({ city }) => `sunny in ${city}` });
  const runner = completions.runTools({ model, messages: hello, tools: [weather] });
  assert.match(await runner.finalContent(), /sunny in Paris/);
});

test("a JSON object is one", async () => {
  const messages = [{ role: "user", content: "Answer in JSON." }];
  const answer = await completions.create({ model, messages, response_format: { type: "json_object" } });
  assert.equal(typeof JSON.parse(answer.choices[0].message.content), "object");
});

test("an image arrives", async () => {
  const url =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
  const content = [{ type: "text", text: "What is this?" }, { type: "image_url", image_url: { url } }];
  const answer = await completions.create({ model, messages: [{ role: "user", content }] });
  assert.match(answer.choices[0].message.content, /I see 1 image/);
});

for (const [fault, kind, status, code] of [
  ["status-400", OpenAI.BadRequestError, 400, null],
  ["status-401", OpenAI.InternalServerError, 502, "upstream_error"],
  ["status-404", OpenAI.NotFoundError, 404, "model_not_found"],
  ["status-413", OpenAI.APIError, 413, "request_too_large"],
  ["status-429-retry-after-7", OpenAI.RateLimitError, 429, "rate_limit_exceeded"],
  ["status-500", OpenAI.InternalServerError, 500],
  ["status-503", OpenAI.InternalServerError, 503],
  ["context-length", OpenAI.BadRequestError, 400, "context_length_exceeded"],
  ["malformed", OpenAI.InternalServerError, 502, "upstream_error"],
  ["reset", OpenAI.InternalServerError, 503, "upstream_error"],
  ["error-event", OpenAI.InternalServerError],
]) {
  for (const stream of [false, true]) {
    test(`${fault} is a ${kind.name} ${stream ? "before the stream" : "of the request"}`, async () => {
      await assert.rejects(completions.create({ model: failing(fault), messages: hello, stream }), (error) => {
        assert.ok(error instanceof kind, `${error}`);
        if (status) assert.equal(error.status, status);
        if (code !== undefined) assert.equal(error.code, code);
        if (status === 429) assert.equal(error.headers.get("retry-after"), "7");
        return true;
      });
    });
  }
}

for (const fault of ["error-after-5", "malformed-after-5", "stop-after-5", "cut-after-5"]) {
  test(`a stream with ${fault} throws after what it had`, async () => {
    let text = "";
    const read = async () => {
      for await (const chunk of await completions.create({ model: failing(fault), messages: hello, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? "";
      }
    };
    // A connection that breaks is the transport's own error, where no event could be sent any more.
    await assert.rejects(read, fault.startsWith("cut") ? Error : OpenAI.APIError);
    assert.notEqual(text, "");
  });
}
