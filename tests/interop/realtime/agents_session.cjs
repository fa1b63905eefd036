// The OpenAI Agents SDK of JavaScript, which the transport descends from, talks to a server:
// a turn in text, one in speech, a function, an interruption. Prints what came of it, as JSON.

const { RealtimeAgent, RealtimeSession, OpenAIRealtimeWebSocket, tool } = require("@openai/agents-realtime");
const { z } = require("zod");

const [url, long] = process.argv.slice(2);
const RATE = 24_000;

function tone(ms) {
  const samples = new Int16Array((RATE * ms) / 1000);
  return samples.map((_, n) => Math.round(8000 * Math.sin((2 * Math.PI * 440 * n) / RATE))).buffer;
}

const silence = (ms) => new Int16Array((RATE * ms) / 1000).buffer;

const weather = tool({
  name: "weather",
  description: "Look up the weather.",
  parameters: z.object({ city: z.string() }),
  execute: async () => "rain",
});

async function main() {
  const agent = new RealtimeAgent({ name: "Voice", instructions: "Be brief.", tools: [weather] });
  const transport = new OpenAIRealtimeWebSocket({ url, apiKey: "key", useInsecureApiKey: true });
  const turnDetection = { type: "server_vad", silenceDurationMs: 200, interruptResponse: true };
  const config = { turnDetection };
  const session = new RealtimeSession(agent, { transport, model: "gpt-realtime-2.1", config });

  const seen = { errors: [], audioBytes: [], texts: [], interruptions: 0, truncatedMs: [] };
  let bytes = 0;
  session.on("error", ({ error }) => seen.errors.push(error));
  session.on("audio", ({ data }) => (bytes += data.byteLength));
  session.on("audio_interrupted", () => (seen.interruptions += 1));
  const once = (from, kind) => new Promise((resolve) => from.once(kind, resolve));
  const turns = (count) =>
    new Promise((resolve) => transport.on("turn_done", () => (count -= 1) || resolve()));
  const texts = () =>
    session.history
      .filter((item) => item.type === "message")
      .map((item) => [item.role, item.content[0].text ?? item.content[0].transcript]);

  async function turn(count, say) {
    bytes = 0;
    const done = turns(count);
    say();
    await done;
    seen.audioBytes.push(bytes);
    seen.texts.push(texts().at(-1));
  }

  await session.connect({ apiKey: "key", url });
  await turn(1, () => session.sendMessage("hello"));
  await turn(1, () => {
    session.sendAudio(tone(400));
    session.sendAudio(silence(500));
  });
  seen.heard = texts().at(-2);
  await turn(2, () => session.sendMessage("weather"));
  seen.calls = session.history.filter((item) => item.type === "function_call");

  session.sendMessage(long);
  await once(session, "audio");
  const interrupted = once(session, "audio_interrupted");
  const truncated = once(transport, "conversation.item.truncated");
  seen.interruptions = 0;
  session.sendAudio(tone(400));
  await interrupted;
  seen.truncatedMs.push((await truncated).audio_end_ms);
  session.close();
  console.log(JSON.stringify(seen));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
