// What unmodified clients make of lpu-serve: for each one an answer, a stream, an error, an abort, the list of models
// where it has one, and a refusal that it comes back from. `node clients.mjs URL CROWDED_URL EXPECTED.json`: the second
// server refuses once it is busy, EXPECTED is what lpu-run says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dialects } from "./dialects.mjs";

const [url, crowded, expectedFile] = process.argv.slice(2);
const { prompt, text, count, longCount } = JSON.parse(readFileSync(expectedFile, "utf8"));
const messages = [{ role: "user", content: prompt }];
const model = "tiny";

/** A client of OpenAI's library, or of one with the same form. */
function openAiLike(client) {
  const ask = (more, options) => client.chat.completions.create({ model, messages, max_tokens: count, temperature: 0, ...more }, options);
  return {
    answer: async () => (await ask({})).choices[0].message.content,
    stream: async () => {
      let out = "";
      for await (const chunk of await ask({ stream: true })) out += chunk.choices[0]?.delta?.content ?? "";
      return out;
    },
    error: async () => {
      const error = await ask({ temperature: 3 }).catch(e => e);
      assert.equal(error.status, 400);
      assert.match(error.message, /temperature must be/);
    },
    abort: async () => {
      const controller = new AbortController();
      const chunks = await ask({ stream: true, max_tokens: longCount }, { signal: controller.signal });
      let seen = 0;
      try {
        for await (const chunk of chunks) if (++seen === 3) controller.abort();
      } catch (error) {
        assert.match(error.constructor.name + error.name, /Abort/);
      }
      assert(seen < longCount / 2);
    },
    models: async () => (await client.models.list()).data.map(m => m.id),
  };
}

async function openAi(name, at) {
  const { default: OpenAI } = await import(name);
  return openAiLike(new OpenAI({ baseURL: at + "/v1", apiKey: "none" }));
}

async function groq(at) {
  const { default: Groq } = await import("groq-sdk");
  return openAiLike(new Groq({ baseURL: at, apiKey: "none" }));
}

async function langChain(at) {
  const { ChatOpenAI } = await import("@langchain/openai");
  const chat = more => new ChatOpenAI({ model, apiKey: "none", maxTokens: count, temperature: 0, configuration: { baseURL: at + "/v1" }, ...more });
  return {
    answer: async () => (await chat({}).invoke(prompt)).content,
    stream: async () => {
      let out = "";
      for await (const chunk of await chat({}).stream(prompt)) out += chunk.content;
      return out;
    },
    error: async () => {
      const error = await chat({ temperature: 3 }).invoke(prompt).catch(e => e);
      assert.match(error.message, /temperature must be/);
    },
    abort: async () => {
      const controller = new AbortController();
      let seen = 0;
      try {
        for await (const chunk of await chat({ maxTokens: longCount }).stream(prompt, { signal: controller.signal }))
          if (++seen === 3) controller.abort();
      } catch (error) {
        assert.match(error.name + error.message, /[Aa]bort/);
      }
      assert(seen < longCount / 2);
    },
  };
}

async function aiSdk(at) {
  const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
  const { generateText, streamText } = await import("ai");
  const own = createOpenAICompatible({ name: "lpu", baseURL: at + "/v1" })(model);
  const options = more => ({ model: own, prompt, maxOutputTokens: count, temperature: 0, ...more });
  return {
    answer: async () => (await generateText(options())).text,
    stream: async () => {
      let out = "";
      for await (const piece of streamText(options()).textStream) out += piece;
      return out;
    },
    error: async () => {
      const error = await generateText(options({ temperature: 3, maxRetries: 0 })).catch(e => e);
      assert.match(error.message, /temperature must be/);
    },
    abort: async () => {
      const controller = new AbortController();
      let seen = 0;
      try {
        for await (const piece of streamText(options({ maxOutputTokens: longCount, abortSignal: controller.signal })).textStream)
          if (++seen === 3) controller.abort();
      } catch (error) {
        assert.match(error.name, /Abort/);
      }
      assert(seen < longCount / 2);
    },
  };
}

/** Takes the only place of the crowded server; what comes of it ends when the answer does. */
async function occupy() {
  const response = await fetch(crowded + "/v1/chat/completions", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model, messages, max_tokens: longCount, temperature: 0, stream: true }) });
  assert.equal(response.status, 200);
  const reader = response.body.getReader();
  return { ended: (async () => { while (!(await reader.read()).done); })() };
}

async function refusedOnce(make) {
  const before = await refusals();
  const client = await make(crowded);
  const running = await occupy();
  assert.equal(await client.answer(), text);
  await running.ended;
  return (await refusals()) - before;
}

async function refusals() {
  const metrics = await (await fetch(crowded + "/metrics")).text();
  return [...metrics.matchAll(/^lpu_request_refused_total\{.*code="queue_full"\} (\d+)$/gm)].reduce((sum, m) => sum + Number(m[1]), 0);
}

/** Clients that do not come back say what they were told. */
async function refusedForGood(make) {
  const before = await refusals();
  const client = await make(crowded);
  const running = await occupy();
  await assert.rejects(client.answer(), /wait already/);
  await running.ended;
  return (await refusals()) - before;
}

const clients = {
  "openai 6": at => openAi("openai6", at),
  "openai 7": at => openAi("openai7", at),
  "groq-sdk": groq,
  "@langchain/openai": langChain,
  "ai + @ai-sdk/openai-compatible": aiSdk,
  ...dialects({ prompt, count, longCount, model }),
};

let failed = 0;
for (const [name, make] of Object.entries(clients)) {
  try {
    const client = await make(url);
    assert.equal(await client.answer(), text);
    assert.equal(await client.stream(), text);
    await client.error();
    await client.abort();
    if (client.models) assert.deepEqual(await client.models(), [model]);
    if (client.more) await client.more(text);
    assert.equal(await client.answer(), text);
    const comesBack = client.comesBack ?? true;
    const refused = await (comesBack ? refusedOnce(make) : refusedForGood(make));
    assert(refused > 0, "was never refused");
    console.log(`${name}: ok, refused ${refused} times${comesBack ? " and came back" : ", which it says"}`);
  } catch (error) {
    ++failed;
    console.log(`${name}: FAILED: ${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
