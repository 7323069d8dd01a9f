// Anthropic's official Node SDK through the gateway: what applications do with it, whatever the provider speaks.
//
// Run by test_node.py, a process a dialect: the gateway is in the environment, and so is the row of the table.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";

const { DRAGOMAN_ORIGIN: baseURL, DRAGOMAN_KEY: apiKey, DRAGOMAN_DIALECT } = process.env;
const dialect = JSON.parse(DRAGOMAN_DIALECT);
const { model, provider } = dialect;
// No retries: a test of an error wants the first answer.
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });

const hello = [{ role: "user", content: "Hello" }];
const parallel = { role: "user", content: "In parallel, please" };
const failing = (fault) => `${model}-sim-${fault}`;
const tool = (name, properties) => ({
  name,
  input_schema: { type: "object", properties, required: Object.keys(properties), additionalProperties: false },
});
const tools = [tool("weather", { city: { type: "string", enum: ["Paris"] } }), tool("clock", {})];
// Anthropic's later models take no budget.
const thinkers = dialect.thinkers.filter((name) => !name.includes("opus"));

const ask = (streamed, body) => {
  const full = { model, max_tokens: 256, ...body };
  return streamed ? client.messages.stream(full).finalMessage() : client.messages.create(full);
};
const said = (message) => message.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");
const callsOf = (message) => message.content.filter((block) => block.type === "tool_use");
const answered = (message) => [
  { role: "assistant", content: message.content },
  {
    role: "user",
    content: callsOf(message).map(({ id, name }) => ({ type: "tool_result", tool_use_id: id, content: `${name} done` })),
  },
];

test("a message is answered with its usage and says who served it", async () => {
  const { data, response } = await client.messages.create({ model, max_tokens: 64, messages: hello }).withResponse();
  assert.match(said(data), /Hello/);
  assert.equal(data.stop_reason, "end_turn");
  assert.ok(data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
  assert.equal(response.headers.get("x-dragoman-provider"), provider);
});

test("a stream is the same message, in events that say so as they come", async () => {
  const stream = client.messages.stream({ model, max_tokens: 256, messages: hello });
  let text = "";
  stream.on("text", (delta) => (text += delta));
  const final = await stream.finalMessage();
  const whole = await ask(false, { messages: hello });
  assert.equal(text, said(whole));
  assert.deepEqual(final.content, whole.content);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
});

test("leaving a stream early leaves the gateway well", async () => {
  const stream = await client.messages.create({ model: failing("slow-50"), max_tokens: 64, messages: hello, stream: true });
  for await (const event of stream) {
    assert.ok(event.type);
    break;
  }
  assert.ok((await ask(false, { messages: hello })).content.length);
});

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  test(`parallel calls make their round trip, over turns, ${how}`, async () => {
    const messages = [];
    for (const question of [parallel, { role: "user", content: "Again, in parallel" }]) {
      messages.push(question);
      const called = await ask(streamed, { messages, tools });
      assert.equal(called.stop_reason, "tool_use");
      assert.deepEqual(
        callsOf(called).map(({ name, input }) => [name, input]),
        [["weather", { city: "Paris" }], ["clock", {}]],
      );
      messages.push(...answered(called));
      const spoken = await ask(streamed, { messages, tools });
      assert.match(said(spoken), /weather done.*clock done/);
      messages.push({ role: "assistant", content: spoken.content });
    }
  });

  for (const thinker of thinkers) {
    test(`${thinker} thinks, is seen to, and takes its tools' results, ${how}`, async () => {
      const body = { model: thinker, max_tokens: 4096, tools, thinking: { type: "enabled", budget_tokens: 1024 } };
      const messages = [parallel];
      const called = await ask(streamed, { ...body, messages });
      assert.equal(called.content[0].type, "thinking");
      assert.match(called.content[0].thinking, /^The user said: In parallel/);
      messages.push(...answered(called));
      assert.match(said(await ask(streamed, { ...body, messages })), /weather done.*clock done/);
    });
  }
}

test("the SDK's runner calls the tools by itself", async () => {
  const inputSchema = z.object({ city: z.literal("Paris") });
  const run = ({ city }) => `sunny in ${city}`;
  const weather = betaZodTool({ name: "weather", description: "The weather", inputSchema, run });
  const runner = client.beta.messages.toolRunner({ model, max_tokens: 256, messages: hello, tools: [weather] });
  assert.match(said(await runner), /sunny in Paris/);
});

test("an image arrives", async () => {
  const data = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data } };
  const content = [image, { type: "text", text: "What is this?" }];
  assert.match(said(await ask(false, { messages: [{ role: "user", content }] })), /I see 1 image/);
});

for (const [fault, kind, status] of [
  ["status-400", Anthropic.BadRequestError, 400],
  ["status-401", Anthropic.InternalServerError, 502],
  ["status-404", Anthropic.NotFoundError, 404],
  ["status-413", Anthropic.APIError, 413],
  ["status-429-retry-after-7", Anthropic.RateLimitError, 429],
  ["status-500", Anthropic.InternalServerError, 500],
  ["context-length", Anthropic.BadRequestError, 400],
  ["malformed", Anthropic.InternalServerError, 502],
  ["reset", Anthropic.InternalServerError, 503],
]) {
  for (const stream of [false, true]) {
    test(`${fault} is a ${kind.name} ${stream ? "before the stream" : "of the request"}`, async () => {
      const asked = client.messages.create({ model: failing(fault), max_tokens: 64, messages: hello, stream });
      await assert.rejects(asked, (error) => {
        assert.ok(error instanceof kind, `${error}`);
        assert.equal(error.status, status);
        assert.equal(error.error.type, "error");
        if (status === 429) assert.equal(error.headers.get("retry-after"), "7");
        return true;
      });
    });
  }
}

for (const fault of ["error-after-5", "malformed-after-5", "stop-after-5", "cut-after-5"]) {
  test(`a stream with ${fault} throws after what it had`, async () => {
    let text = "";
    const stream = client.messages.stream({ model: failing(fault), max_tokens: 64, messages: hello });
    stream.on("text", (delta) => (text += delta));
    await assert.rejects(stream.finalMessage());
    assert.notEqual(text, "");
  });
}
