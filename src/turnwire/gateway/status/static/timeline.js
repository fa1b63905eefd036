// The timeline: one row for each lane, one bar for each turn, drawn by the style sheet from times.

"use strict";

const ROWS = 24;
const VISIBLE = 0.05; // seconds; a shorter wait is less than a pixel

function label(turn) {
  if (turn.socket === null) return "POST";
  const socket = `socket ${turn.worker === null ? "" : `${turn.worker}-`}${turn.socket}`;
  return turn.lane === 0 ? socket : `${socket} · lane ${turn.lane}`;
}

/** Put turns into rows in which none overlap; POSTs take the first row that is free. */
function inRows(turns) {
  const rows = new Map();
  const posts = [];
  for (const turn of turns) {
    const { socket, worker } = turn;
    const place = socket === null ? freePlace(posts, turn) : turn.lane;
    const key = socket === null ? `post.${place}` : `${worker}.${socket}.${place}`;
    if (!rows.has(key)) rows.set(key, { key, worker, socket, place, label: label(turn), turns: [] });
    rows.get(key).turns.push(turn);
  }
  return [...rows.values()].sort(inOrder);
}

/** Find the first row of POSTs whose last turn had ended, and take it. */
function freePlace(ends, turn) {
  const found = ends.findIndex((end) => end <= turn.received);
  const place = found < 0 ? ends.length : found;
  ends[place] = turn.ended ?? Infinity;
  return place;
}

/** Sockets in the order in which they came, their lanes likewise, and what came by POST below. */
function inOrder(a, b) {
  if (a.socket !== null && b.socket !== null && a.worker !== b.worker) return a.worker - b.worker;
  if (a.socket !== b.socket) return (a.socket ?? Infinity) - (b.socket ?? Infinity);
  return a.place - b.place;
}

/** The parts of a bar: [kind, from, to], where `to` is null while it goes on. */
function parts(turn) {
  const found = [];
  const { received, started, first_event: first, ended } = turn;
  if (started === null) return [["queued", received, null]];
  if (started - received >= VISIBLE) found.push(["queued", received, started]);
  found.push(["quiet", started, first ?? ended]);
  if (first !== null) found.push(["streaming", first, ended]);
  if (turn.outcome === "failed" || turn.outcome === "error") found.push(["failed", ended, ended]);
  if (turn.outcome === "stopped") found.push(["stopped", ended, ended]);
  return found;
}

/** Make the children of `parent` those of `items`, keeping the elements whose key stays. */
function reconcile(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, place) => {
    const key = keyOf(item);
    let child = old.get(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    }
    old.delete(key);
    update(child, item);
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  for (const child of old.values()) child.remove();
}

class Timeline {
  constructor(rows, more, describe) {
    this.rows = rows;
    this.more = more;
    this.describe = describe;
    this.base = null;
  }

  /** Draw these turns; `now` is the gateway's clock. */
  draw(turns, now) {
    // The sheet computes with single precision: times count from when the page was opened.
    this.base ??= now;
    const rows = inRows(turns);
    reconcile(this.rows, rows.slice(0, ROWS), (row) => row.key, makeRow, (element, row) =>
      reconcile(element.lastChild, row.turns, (turn) => turn.id, makeTurn, (bar, turn) =>
        this.#update(bar, turn),
      ),
    );
    this.more.hidden = rows.length <= ROWS;
    this.more.textContent = `and ${rows.length - ROWS} more lanes`;
  }

  /** Forget everything: another gateway counts anew. */
  reset() {
    this.base = null;
    this.rows.replaceChildren();
  }

  /** Let time go on. */
  move(now) {
    if (this.base !== null) this.rows.style.setProperty("--now", (now - this.base).toFixed(3));
  }

  #update(bar, turn) {
    const state = JSON.stringify([turn.started, turn.first_event, turn.ended]);
    if (bar.dataset.state === state) return;
    bar.dataset.state = state;
    bar.title = this.describe(turn);
    bar.replaceChildren(
      ...parts(turn).map(([kind, from, to]) => {
        const part = document.createElement("i");
        part.className = kind;
        part.style.setProperty("--from", (from - this.base).toFixed(3));
        if (to !== null) part.style.setProperty("--to", (to - this.base).toFixed(3));
        return part;
      }),
    );
  }
}

function makeRow(row) {
  const element = document.createElement("div");
  element.className = "row";
  const name = document.createElement("span");
  name.textContent = row.label;
  const track = document.createElement("div");
  track.className = "track";
  element.append(name, track);
  return element;
}

function makeTurn() {
  const element = document.createElement("div");
  element.className = "turn";
  return element;
}
