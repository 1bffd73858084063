// Clients of the other dialects: Ollama's, Anthropic's, Google's and Amazon's, and LangChain's of the same.
import assert from "node:assert/strict";

/** What a client has: `make` gives these for an address. `comesBack`: false for clients that are refused and do not ask again. */
export function dialects({ prompt, count, longCount, model }) {
  const messages = [{ role: "user", content: prompt }];

  async function failure(promise, pattern, status) {
    const error = await Promise.resolve(promise).then(() => assert.fail("no error"), e => e);
    assert.match(error.message, pattern);
    if (status) assert.equal(error.status ?? error.status_code ?? error.$metadata?.httpStatusCode, status);
  }

  /** Stops a stream after three pieces; `stop` is what its client has for that. */
  async function aborted(stream, stop) {
    let seen = 0;
    try {
      for await (const piece of await stream) {
        if (++seen === 3) await stop();
        assert(seen < longCount / 2, "the stream went on");
      }
    } catch (error) {
      assert.match(error.name + error.message, /[Aa]bort/);
    }
    assert(seen >= 3);
  }

  async function joined(stream, textOf) {
    let out = "";
    for await (const piece of await stream) out += textOf(piece) ?? "";
    return out;
  }

  async function ollama(at) {
    const { Ollama } = await import("ollama");
    const client = new Ollama({ host: at });
    const options = (n = count) => ({ temperature: 0, repeat_penalty: 1, num_predict: n });
    return {
      comesBack: false,
      answer: async () => (await client.chat({ model, messages, options: options() })).message.content,
      stream: async () => joined(client.chat({ model, messages, options: options(), stream: true }), p => p.message.content),
      error: async () => failure(client.chat({ model: "absent", messages }), /absent/, 404),
      abort: async () => aborted(client.chat({ model, messages, options: options(longCount), stream: true }), () => client.abort()),
      models: async () => (await client.list()).models.map(m => m.name),
      more: async text => {
        assert.equal((await client.generate({ model: model + ":latest", prompt, options: options() })).response, text);
        const last = await client.generate({ model, prompt, options: options() });
        assert(last.eval_count === count && last.eval_duration > 0 && last.prompt_eval_duration > 0 && last.done);
        assert.equal((await client.show({ model })).capabilities[0], "completion");
        assert.equal((await client.ps()).models[0].name, model);
        assert.match((await client.version()).version, /^\d/);
      },
    };
  }

  async function langChainOllama(at) {
    const { ChatOllama } = await import("@langchain/ollama");
    const chat = more => new ChatOllama({ model, baseUrl: at, temperature: 0, repeatPenalty: 1, numPredict: count, maxRetries: 0, ...more });
    return {
      comesBack: false,
      answer: async () => (await chat().invoke(prompt)).content,
      stream: async () => joined(chat().stream(prompt), p => p.content),
      error: async () => failure(chat({ numPredict: 0 }).invoke(prompt), /num_predict must be/),
      abort: async () => {
        const controller = new AbortController();
        await aborted(chat({ numPredict: longCount }).stream(prompt, { signal: controller.signal }), () => controller.abort());
      },
    };
  }

  async function anthropic(at) {
    const { default: Anthropic } = await import("@anthropic-ai/sdk");
    const client = new Anthropic({ baseURL: at, apiKey: "none" });
    const body = more => ({ model, messages, max_tokens: count, temperature: 0, ...more });
    return {
      answer: async () => (await client.messages.create(body())).content[0].text,
      stream: async () => client.messages.stream(body()).finalText(),
      error: async () => failure(client.messages.create(body({ temperature: 3 })), /temperature must be/, 400),
      abort: async () => {
        const stream = await client.messages.create(body({ max_tokens: longCount, stream: true }));
        await aborted(stream, () => stream.controller.abort());
      },
      models: async () => (await client.models.list()).data.map(m => m.id),
      more: async text => {
        const { input_tokens } = await client.messages.countTokens({ model, messages });
        const stop = text.slice(9, 14);
        const stopped = await client.messages.create(body({ stop_sequences: ["never said", stop] }));
        assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ["stop_sequence", stop]);
        assert.equal(stopped.usage.input_tokens, input_tokens);
        assert.equal((await client.messages.create(body())).stop_reason, "max_tokens");
      },
    };
  }

  async function langChainAnthropic(at) {
    const { ChatAnthropic } = await import("@langchain/anthropic");
    const chat = more => new ChatAnthropic({ model, apiKey: "none", anthropicApiUrl: at, temperature: 0, maxTokens: count, ...more });
    return {
      answer: async () => (await chat().invoke(prompt)).content,
      stream: async () => joined(chat().stream(prompt), p => p.content),
      error: async () => failure(chat({ temperature: 3 }).invoke(prompt), /temperature must be/),
      abort: async () => {
        const controller = new AbortController();
        await aborted(chat({ maxTokens: longCount }).stream(prompt, { signal: controller.signal }), () => controller.abort());
      },
    };
  }

  async function genAi(at, more = {}) {
    const { GoogleGenAI } = await import("@google/genai");
    const client = new GoogleGenAI({ apiKey: "none", httpOptions: { baseUrl: at, retryOptions: { attempts: 8, initialDelay: 0.2 } }, ...more });
    const body = config => ({ model, contents: prompt, config: { temperature: 0, maxOutputTokens: count, ...config } });
    return {
      answer: async () => (await client.models.generateContent(body())).text,
      stream: async () => joined(client.models.generateContentStream(body()), p => p.text),
      error: async () => failure(client.models.generateContent(body({ temperature: 3 })), /temperature must be/, 400),
      abort: async () => {
        const controller = new AbortController();
        const asked = body({ maxOutputTokens: longCount, abortSignal: controller.signal });
        await aborted(client.models.generateContentStream(asked), () => controller.abort());
      },
      models: async () => {
        const names = [];
        for await (const found of await client.models.list()) names.push(found.name.split("/").pop());
        return names;
      },
      more: async () => {
        const answer = await client.models.generateContent(body());
        assert.equal(answer.candidates[0].finishReason, "MAX_TOKENS");
        assert.equal(answer.usageMetadata.candidatesTokenCount, count);
        const counted = await client.models.countTokens({ model, contents: prompt });
        assert.equal(counted.totalTokens, answer.usageMetadata.promptTokenCount);
        assert.match((await client.models.get({ model })).name, new RegExp(model));
      },
    };
  }

  const aws = { region: "us-east-1", credentials: { accessKeyId: "none", secretAccessKey: "none" } };

  async function runtime(at) {
    const { NodeHttpHandler } = await import("@smithy/node-http-handler");
    const sdk = await import("@aws-sdk/client-bedrock-runtime");
    return { sdk, client: new sdk.BedrockRuntimeClient({ ...aws, endpoint: at, requestHandler: new NodeHttpHandler(), maxAttempts: 8 }) };
  }

  async function bedrock(at) {
    const { sdk, client } = await runtime(at);
    const control = await import("@aws-sdk/client-bedrock");
    const body = (n = count) => ({ modelId: model, messages: [{ role: "user", content: [{ text: prompt }] }], inferenceConfig: { maxTokens: n, temperature: 0 } });
    const meta = { modelId: model, contentType: "application/json", body: JSON.stringify({ prompt, max_gen_len: count, temperature: 0 }) };
    const textOf = bytes => JSON.parse(new TextDecoder().decode(bytes)).generation;
    return {
      answer: async () => (await client.send(new sdk.ConverseCommand(body()))).output.message.content[0].text,
      stream: async () => joined((await client.send(new sdk.ConverseStreamCommand(body()))).stream, e => e.contentBlockDelta?.delta.text),
      error: async () => {
        const bad = { ...body(), inferenceConfig: { temperature: 3 } };
        const error = await client.send(new sdk.ConverseCommand(bad)).catch(e => e);
        assert.equal(error.name, "ValidationException");
        assert.match(error.message, /temperature must be/);
      },
      abort: async () => {
        const controller = new AbortController();
        const { stream } = await client.send(new sdk.ConverseStreamCommand(body(longCount)), { abortSignal: controller.signal });
        await aborted(stream, () => controller.abort());
      },
      models: async () => {
        const list = new control.BedrockClient({ ...aws, endpoint: at });
        return (await list.send(new control.ListFoundationModelsCommand({}))).modelSummaries.map(m => m.modelId);
      },
      more: async text => {
        assert.equal(textOf((await client.send(new sdk.InvokeModelCommand(meta))).body), text);
        const streamed = await client.send(new sdk.InvokeModelWithResponseStreamCommand(meta));
        assert.equal(await joined(streamed.body, e => textOf(e.chunk.bytes)), text);
        const { messages } = body();
        const counted = await client.send(new sdk.CountTokensCommand({ modelId: model, input: { converse: { messages } } }));
        assert.equal(counted.inputTokens, (await client.send(new sdk.ConverseCommand(body()))).usage.inputTokens);
        // Without the handler this client speaks HTTP/2 alone, which this server does not.
        const untold = new sdk.BedrockRuntimeClient({ ...aws, endpoint: at, maxAttempts: 1 });
        const error = await untold.send(new sdk.ConverseCommand(body())).then(() => null, e => e);
        assert(error, "the runtime client needs no NodeHttpHandler any more: say so in docs/howto/serve.md");
      },
    };
  }

  async function langChainAws(at) {
    const { ChatBedrockConverse } = await import("@langchain/aws");
    const { client } = await runtime(at);
    const chat = more => new ChatBedrockConverse({ model, ...aws, client, temperature: 0, maxTokens: count, ...more });
    return {
      answer: async () => (await chat().invoke(prompt)).content,
      stream: async () => joined(chat().stream(prompt), p => p.content),
      error: async () => failure(chat({ temperature: 3 }).invoke(prompt), /temperature must be/),
      abort: async () => {
        const controller = new AbortController();
        await aborted(chat({ maxTokens: longCount }).stream(prompt, { signal: controller.signal }), () => controller.abort());
      },
    };
  }

  return {
    ollama,
    "@langchain/ollama": langChainOllama,
    "@anthropic-ai/sdk": anthropic,
    "@langchain/anthropic": langChainAnthropic,
    "@google/genai": genAi,
    "@google/genai (Vertex AI)": at => genAi(at, { vertexai: true }),
    "@aws-sdk/client-bedrock, -runtime": bedrock,
    "@langchain/aws": langChainAws,
  };
}
