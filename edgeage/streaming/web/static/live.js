// The live stream: its picture, its faces, and how to get it back when it is lost.

import { AGE_GROUPS, age, element, emptyRow, gender, percent, plain, row } from "./faces.js";

const byId = (id) => document.getElementById(id);
const TABLE_MS = 250;
const SPOKEN_MS = 5000;
const STALE_MS = 5000;
const LONGEST_WAIT_MS = 10000;
const KEPT_TRACKS = 5000;

export function startLive({ setStatus, isAuthorized }) {
  const picture = new Picture();
  const ages = new Ages();
  let events = null;
  let latest = null;
  let begun = null;
  let heard = 0;
  let ended = "";
  let sourceLost = "";
  let wait = 500;
  let drawn = null;
  let spoken = -SPOKEN_MS;

  byId("live").hidden = false;
  byId("pause").addEventListener("click", () => {
    const paused = picture.togglePause();
    byId("pause").setAttribute("aria-pressed", `${paused}`);
    byId("pause").textContent = paused ? "Resume" : "Pause";
  });
  ages.draw();
  showFaces([]);
  connect();
  setInterval(refresh, TABLE_MS);

  function connect() {
    events?.close();
    events = new EventSource("/v1/events");
    events.onopen = () => {
      wait = 500;
      ended = sourceLost = "";
      // It may be another server, or another stream; either tells at once what it shows now.
      latest = null;
      heard = performance.now();
      picture.restart();
    };
    events.onmessage = (message) => take(message.data);
    events.onerror = lost;
  }

  async function lost() {
    const text = ended || "Connection lost; trying again…";
    setStatus("bad", text);
    picture.say(text);
    if (events.readyState !== EventSource.CLOSED) return;
    if (!(await isAuthorized())) return;
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }

  function take(text) {
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      return;
    }
    heard = performance.now();
    if (event.type === "frame") {
      latest = event;
      sourceLost = "";
      ages.count(event);
    } else if (event.type === "start" && event.timestamp !== begun) {
      begun = event.timestamp;
      latest = null;
      ended = sourceLost = "";
      byId("device").textContent = event.device ?? byId("device").textContent;
      ages.clear();
    } else if (event.type === "lost") {
      sourceLost = `The source is lost: ${event.reason}`;
    } else if (event.type === "end") {
      ended = event.error ? `The stream broke off: ${event.error}` : "The stream is over";
    }
  }

  function refresh() {
    if (events.readyState === EventSource.OPEN) {
      const stale = performance.now() - heard > STALE_MS;
      if (ended) setStatus("waiting", ended);
      else if (sourceLost) setStatus("bad", sourceLost);
      else if (!latest) setStatus("waiting", "Waiting for pictures");
      else if (stale) setStatus("waiting", "No new picture");
      else setStatus("good", "Live");
    }
    if (picture.paused || latest === drawn) return;
    drawn = latest;
    const { faces = [], counts, fps, frame } = latest ?? {};
    byId("fps").textContent = typeof fps === "number" ? fps.toFixed(1) : "–";
    byId("frame").textContent = frame ?? "–";
    byId("count").textContent = counts?.faces ?? latest?.faces?.length ?? "–";
    byId("device").textContent = [...new Set(faces.map((face) => face.device))].join(", ")
      || byId("device").textContent;
    if (counts) showCounts(counts);
    else showFaces(faces);
    ages.draw();
    if (latest && performance.now() - spoken > SPOKEN_MS) speak(faces, counts);
  }

  function speak(faces, counts) {
    spoken = performance.now();
    const number = counts?.faces ?? faces.length;
    const words = faces.slice(0, 3).map((face) => `${gender(face)}, ${age(face)} years`).join("; ");
    const count = number === 1 ? "1 face" : `${number || "No"} faces`;
    const text = words ? `${count}: ${words}` : count;
    if (byId("summary").textContent !== text) byId("summary").textContent = text;
    byId("picture").alt = `Live picture. ${text}`;
  }
}

function showFaces(faces) {
  const rows = faces.map((face) => row(
    face.track ?? 0, `${face.track ?? "–"}`, age(face), gender(face), percent(face.quality),
  ));
  byId("tracks").tBodies[0].replaceChildren(...(rows.length ? rows : [emptyRow("None", 4)]));
}

// A stream that tells counts only has no faces to list.
function showCounts({ genders }) {
  const words = Object.entries(genders).map(([gender, count]) => `${count} ${gender}`).join(", ");
  byId("tracks").tBodies[0].replaceChildren(emptyRow(words || "None", 4));
}

// The picture: started anew whenever it breaks off, held still while it is paused.
class Picture {
  constructor() {
    this.paused = false;
    this.image = byId("picture");
    this.still = byId("still");
    this.timer = null;
    this.image.addEventListener("load", () => this.say(""));
    this.image.addEventListener("error", () => {
      if (!this.image.hasAttribute("src")) return;
      this.say("The picture is lost; trying again…");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.restart(), 2000);
    });
  }

  restart() {
    clearTimeout(this.timer);
    if (this.paused) return;
    // Another address, or the browser would show what it has.
    this.image.src = `/v1/stream?${Date.now()}`;
    this.image.hidden = false;
    this.still.hidden = true;
  }

  togglePause() {
    this.paused = !this.paused;
    if (this.paused) this.hold();
    else this.restart();
    return this.paused;
  }

  hold() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (width) {
      Object.assign(this.still, { width, height });
      this.still.getContext("2d").drawImage(this.image, 0, 0);
      this.still.hidden = false;
    }
    this.image.hidden = true;
    this.image.removeAttribute("src");
  }

  say(text) {
    byId("picture-message").hidden = !text;
    byId("picture-message").textContent = text;
  }
}

// How many faces of each age group there have been, a face once however long it is seen; how many
// there are now where a stream tells counts only.
class Ages {
  constructor() {
    this.clear();
    this.rows = new Map(AGE_GROUPS.map((group) => {
      const fill = element("span", { className: "fill" });
      const count = element("td", {}, "0");
      const line = element("tr", {}, element("th", { scope: "row" }, plain(group)),
        element("td", {}, element("span", { className: "track" }, fill)), count);
      return [group, { line, fill, count }];
    }));
    byId("ages").tBodies[0].replaceChildren(...[...this.rows.values()].map(({ line }) => line));
  }

  clear() {
    this.groups = new Map();
    this.counts = Object.fromEntries(AGE_GROUPS.map((group) => [group, 0]));
  }

  count({ faces = [], counts }) {
    byId("ages").caption.textContent = counts ? "Faces now, by age" : "Faces so far, by age";
    if (counts) {
      for (const group of AGE_GROUPS) this.counts[group] = counts.age_groups[group] ?? 0;
    }
    for (const { track, age_group: group } of faces) {
      const before = this.groups.get(track);
      if (track === undefined || before === group || !(group in this.counts)) continue;
      if (before !== undefined) this.counts[before] -= 1;
      this.counts[group] += 1;
      this.groups.set(track, group);
      // The oldest stay counted, and only change no more.
      if (this.groups.size > KEPT_TRACKS) this.groups.delete(this.groups.keys().next().value);
    }
  }

  draw() {
    const most = Math.max(1, ...Object.values(this.counts));
    for (const [group, { fill, count }] of this.rows) {
      fill.style.width = `${(100 * this.counts[group]) / most}%`;
      count.textContent = this.counts[group];
    }
  }
}
