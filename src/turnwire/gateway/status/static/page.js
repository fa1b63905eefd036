// The status page: takes the gateway's state from /status/events and shows it.

"use strict";

const AGAIN = 3000; // milliseconds until the next try, once the browser has given up
const LATEST = 12;

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

const OUTCOMES = {
  completed: "completed",
  incomplete: "incomplete",
  failed: "failed",
  error: "error",
  stopped: "stopped: nobody wanted it",
};

const timeline = new Timeline(byId("rows"), byId("rows-more"), describe);
let ahead = 0; // how far the gateway's clock is ahead of the browser's, in seconds
let latest = null;

// Words

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), units.length - 1);
  return `${(count / 1000 ** step).toFixed(step && count / 1000 ** step < 100 ? 1 : 0)} ${units[step]}`;
}

function seconds(duration) {
  if (duration === null) return "–";
  return duration < 10 ? `${duration.toFixed(2)} s` : `${duration.toFixed(0)} s`;
}

function span(duration) {
  const minutes = Math.floor(duration / 60);
  if (minutes < 1) return `${Math.floor(duration)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function state(turn) {
  if (turn.outcome !== null) return OUTCOMES[turn.outcome] + (turn.code ? `: ${turn.code}` : "");
  if (turn.started === null) return "waits for its lane";
  return turn.first_event === null ? "waits for the first output" : "streams";
}

function where(turn) {
  const worker = turn.worker === null ? "" : `worker ${turn.worker}, `;
  if (turn.socket === null) return worker + (turn.transport === "sse" ? "POST, streamed" : "POST");
  return `${worker}socket ${turn.socket}` + (turn.lane ? `, lane ${turn.lane}` : "");
}

function describe(turn) {
  const first = turn.first_event === null ? null : turn.first_event - turn.received;
  const parts = [where(turn), turn.model, state(turn)];
  if (first !== null) parts.push(`first output after ${seconds(first)}`);
  if (turn.ended !== null) parts.push(`took ${seconds(turn.ended - turn.received)}`);
  return parts.filter(Boolean).join(" · ");
}

function processes({ workers, process }) {
  if (workers === null) return `process ${process}`;
  return `${workers.answering} of ${workers.all} workers`;
}

// Showing

function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function showTiles(now) {
  const { sockets, turns, model_runs: runs, chains, bytes: sizes, tokens } = now;
  write("version", `${now.version} · ${processes(now)}`);
  const silent = now.workers === null ? 0 : now.workers.all - now.workers.answering;
  byId("silent").hidden = !silent;
  if (silent)
    write("silent", `${silent} of ${now.workers.all} workers do not answer: what is open and what runs there is missing here.`);
  byId("store").hidden = now.store_up;
  write("sockets", whole.format(sockets.open));
  write("lanes", `${whole.format(sockets.lanes)} lanes`);
  write("active", whole.format(turns.active));
  write("waiting", turns.waiting ? `${whole.format(turns.waiting)} wait for a lane` : "none waits");
  write("runs", whole.format(runs.active));
  const stopped = runs.stopped ? `, ${short.format(runs.stopped)} stopped` : "";
  write("runs-more", `${short.format(runs.started)} started${stopped}`);
  write("chains", chains.hit_ratio === null ? "–" : percent.format(chains.hit_ratio));
  write("chains-more", `${short.format(chains.hit)} found, ${short.format(chains.miss)} not`);
  write("saved", bytes(sizes.saved));
  const all = sizes.saved + sizes.in;
  write("saved-more", all ? `${percent.format(sizes.saved / all)} of all input` : "");
  write("tokens", short.format(tokens.output));
  write("tokens-more", `${short.format(tokens.input)} input`);
}

function cell(text, kind = "") {
  const element = document.createElement("td");
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function showLatest(now) {
  const running = now.timeline.filter((turn) => turn.ended === null);
  const ended = now.timeline.filter((turn) => turn.ended !== null);
  ended.sort((a, b) => b.ended - a.ended);
  const shown = [...running.slice(-LATEST).reverse(), ...ended].slice(0, LATEST);
  reconcile(byId("latest"), shown, (turn) => turn.id, () => document.createElement("tr"), (row, turn) => {
    const wrong = turn.outcome === "failed" || turn.outcome === "error";
    row.replaceChildren(
      cell(turn.started === null ? "–" : turn.id),
      cell(where(turn)),
      cell(turn.model ?? "–"),
      cell(state(turn), wrong ? "failed" : ""),
      cell(seconds(turn.first_event === null ? null : turn.first_event - turn.received), "number"),
      cell(seconds((turn.ended ?? now.now) - turn.received), "number"),
    );
  });
  if (!shown.length) {
    const row = document.createElement("tr");
    const none = cell("None in the last minute.", "none");
    none.colSpan = 6;
    row.append(none);
    byId("latest").replaceChildren(row);
  }
}

function item(name, right, reason, health) {
  const element = document.createElement("li");
  const first = document.createElement("span");
  first.className = "name";
  if (health) {
    element.dataset.health = health;
    const dot = document.createElement("span");
    dot.className = "dot";
    first.append(dot);
  }
  first.append(name);
  const second = document.createElement("span");
  second.className = "soft";
  second.textContent = right;
  element.append(first, second);
  if (reason) {
    const third = document.createElement("span");
    third.className = "reason";
    third.textContent = reason;
    element.append(third);
  }
  return element;
}

function showLists(now) {
  const upstreams = now.upstreams.map(({ name, health, active, waiting, reason }) =>
    item(name, `${health} · ${active} running${waiting ? `, ${waiting} waiting` : ""}`, reason, health),
  );
  byId("upstreams").replaceChildren(...upstreams);
  const errors = Object.entries(now.errors).map(([code, count]) => item(code, whole.format(count)));
  for (const [status, count] of Object.entries(now.refusals))
    errors.push(item(`HTTP ${status}`, whole.format(count)));
  byId("errors").replaceChildren(...(errors.length ? errors : [item("None.", "")]));
}

function showTurns(now) {
  timeline.draw(now.timeline, now.now);
  byId("calm").hidden = now.timeline.length > 0;
  const { active, waiting } = now.turns;
  const text = `Timeline: ${active} turns run, ${waiting} wait, ${now.timeline.length} in the last minute; the table of the latest turns says the same in words`;
  if (byId("timeline").getAttribute("aria-label") !== text)
    byId("timeline").setAttribute("aria-label", text);
}

function show(now) {
  if (latest !== null && now.uptime_seconds < latest.uptime_seconds) timeline.reset();
  latest = now;
  ahead = now.now - performance.now() / 1000;
  showTiles(now);
  showTurns(now);
  showLatest(now);
  showLists(now);
  tick();
}

// Time

function tick() {
  if (latest === null) return;
  const now = performance.now() / 1000 + ahead;
  timeline.move(now);
  write("uptime", `up ${span(now - latest.now + latest.uptime_seconds)}`);
}

// With less motion the bars take a step a second; they glide otherwise, at ten a second.
const still = matchMedia("(prefers-reduced-motion: reduce)");
function beat() {
  if (!document.hidden && byId("link").dataset.state === "live") requestAnimationFrame(tick);
  setTimeout(beat, still.matches ? 1000 : 100);
}

// The gateway

function told(name, text) {
  byId("link").dataset.state = name;
  write("link", text);
}

function listen() {
  const source = new EventSource("/status/events");
  source.onmessage = (event) => {
    told("live", "live");
    show(JSON.parse(event.data));
  };
  source.onerror = () => {
    told("lost", "not connected: trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN);
  };
}

beat();
listen();
