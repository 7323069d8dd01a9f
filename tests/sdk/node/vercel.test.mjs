// Vercel's AI SDK through the gateway, with each of its providers that can be pointed there, whatever ours speaks.
//
// Run by test_node.py, a process a dialect: the gateway is in the environment, and so is the row of the table.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const { DRAGOMAN_URL: baseURL, DRAGOMAN_KEY: apiKey, DRAGOMAN_DIALECT } = process.env;
const dialect = JSON.parse(DRAGOMAN_DIALECT);
const { model } = dialect;
const failing = (fault) => `${model}-sim-${fault}`;

const openai = createOpenAI({ baseURL, apiKey });
const anthropic = createAnthropic({ baseURL, apiKey });
const compatible = createOpenAICompatible({ name: "dragoman", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true });
const budget = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };
const ways = [
  { name: "@ai-sdk/openai", of: (id) => openai.chat(id), thinking: null },
  // Its own default: responses.
  { name: "@ai-sdk/openai responses", of: (id) => openai(id), thinking: { openai: { reasoningEffort: "high", reasoningSummary: "auto", store: false, forceReasoning: true } } },
  { name: "@ai-sdk/openai-compatible", of: (id) => compatible(id), thinking: { dragoman: { reasoningEffort: "high" } } },
  // It asks for an object as a call that must be made.
  { name: "@ai-sdk/anthropic", of: (id) => anthropic(id), forces: true, thinking: budget },
];
// Anthropic's later models take no budget.
const thinkers = dialect.thinkers.filter((name) => !name.includes("opus"));

const tools = {
  weather: tool({
    description: "The weather",
    inputSchema: z.object({ city: z.literal("Paris") }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
  clock: tool({ description: "The time of day", inputSchema: z.object({}), execute: async () => "noon" }),
};
const Event = z.object({ name: z.string(), participants: z.array(z.string()), seats: z.number().int() });

// No retries: a test of an error wants the first answer. What a stream fails with is thrown, not logged.
const options = { maxRetries: 0, maxOutputTokens: 4096 };
const ask = async (streamed, body) => {
  if (!streamed) return generateText({ ...options, ...body });
  let failure;
  const result = streamText({ ...options, ...body, onError: ({ error }) => (failure = error) });
  let text = "";
  for await (const delta of result.textStream) text += delta;
  if (failure) throw Object.assign(failure, { heard: text });
  const [all, steps, usage, finishReason, reasoningText] = await Promise.all([
    result.text,
    result.steps,
    result.usage,
    result.finishReason,
    result.reasoningText,
  ]);
  assert.ok(text.endsWith(all));
  return { text: all, steps, usage, finishReason, reasoningText };
};

for (const { name, of, forces, thinking } of ways) {
  for (const streamed of [false, true]) {
    const how = `${name}, ${streamed ? "streamed" : "whole"}`;

    test(`a question is answered with its usage, ${how}`, async () => {
      const { text, usage, finishReason } = await ask(streamed, { model: of(model), prompt: "Hello", system: "Be short." });
      assert.match(text, /Hello/);
      assert.equal(finishReason, "stop");
      assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
    });

    test(`an agent calls its tools and goes on with their results, ${how}`, async () => {
      const body = { model: of(model), prompt: "In parallel, please", tools, stopWhen: isStepCount(3) };
      const { text, steps } = await ask(streamed, body);
      assert.deepEqual(
        steps[0].toolCalls.map(({ toolName, input }) => [toolName, input]),
        [["weather", { city: "Paris" }], ["clock", {}]],
      );
      assert.match(text, /sunny in Paris.*noon/);
      assert.equal(steps.length, 2);
    });

    for (const thinker of thinking ? thinkers : []) {
      test(`${thinker} thinks, is seen to, and takes its tools' results, ${how}`, async () => {
        const body = { model: of(thinker), prompt: "In parallel, please", tools, stopWhen: isStepCount(3) };
        const { text, steps } = await ask(streamed, { ...body, providerOptions: thinking });
        assert.match(steps[0].reasoningText, /^The user said: In parallel/);
        assert.match(text, /sunny in Paris.*noon/);
      });
    }

    const skip = forces && !dialect.forces_tools;
    test(`an object fits its schema, ${how}`, { skip }, async () => {
      const output = Output.object({ schema: Event });
      const { text } = await ask(streamed, { model: of(model), prompt: "Answer in JSON.", output });
      assert.ok(Event.safeParse(JSON.parse(text)).success, text);
    });
  }

  test(`an image arrives, ${name}`, async () => {
    const image =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    const content = [{ type: "text", text: "What is this?" }, { type: "file", data: image, mediaType: "image/png" }];
    const { text } = await ask(false, { model: of(model), messages: [{ role: "user", content }] });
    assert.match(text, /I see 1 image/);
  });

  for (const [fault, status] of [
    ["status-400", 400],
    ["status-401", 502],
    ["status-404", 404],
    ["status-429-retry-after-7", 429],
    ["status-500", 500],
    ["malformed", 502],
  ]) {
    for (const streamed of [false, true]) {
      test(`${fault} is an error with its status, ${name}, ${streamed ? "streamed" : "whole"}`, async () => {
        await assert.rejects(ask(streamed, { model: of(failing(fault)), prompt: "Hello" }), (error) => {
          assert.ok(APICallError.isInstance(error), `${error}`);
          assert.equal(error.statusCode, status);
          assert.ok(error.message);
          return true;
        });
      });
    }
  }

  test(`a stream that breaks is an error after what it had, ${name}`, async () => {
    await assert.rejects(ask(true, { model: of(failing("error-after-5")), prompt: "Hello" }), (error) => {
      assert.notEqual(error.heard ?? "", "");
      return true;
    });
  });
}
