// The page: asks what the server has and whether we may, then starts its parts.

import { startAnalysing } from "./analyse.js";
import { startLive } from "./live.js";

const byId = (id) => document.getElementById(id);
const RETRY_MS = 2000;
let started = false;

function setStatus(state, text) {
  const pill = byId("status");
  if (pill.textContent === text) return;
  pill.dataset.state = state;
  pill.textContent = text;
}

async function health() {
  const answer = await fetch("/v1/health", { cache: "no-store" });
  return answer.json();
}

async function begin() {
  let found;
  try {
    found = await health();
  } catch {
    setStatus("bad", "The server does not answer; trying again…");
    setTimeout(begin, RETRY_MS);
    return;
  }
  if (!found.authorized) return askForToken();
  byId("sign-in").hidden = true;
  byId("sign-out").hidden = !found.token;
  if (started) return location.reload();
  started = true;
  setStatus(found.status === "ok" ? "good" : "bad", found.error ?? "Ready");
  byId("device").textContent = found.device;
  byId("about").textContent =
    `edgeage ${found.version} on ${found.device}: ${found.models.join(", ")}`;
  startAnalysing({
    maxBytes: found.max_body_bytes, stores: found.stores, onUnauthorized: askForToken,
  });
  if (found.live) startLive({ setStatus, isAuthorized });
}

async function isAuthorized() {
  try {
    if ((await health()).authorized) return true;
  } catch {
    return true;
  }
  askForToken();
  return false;
}

function askForToken() {
  setStatus("waiting", "Sign in to go on");
  byId("live").hidden = true;
  byId("analyse").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("token").focus();
}

byId("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const failed = byId("sign-in-error");
  failed.hidden = true;
  try {
    const answer = await fetch("/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: byId("token").value }),
    });
    if (answer.ok) {
      byId("token").value = "";
      begin();
      return;
    }
    failed.textContent = answer.status === 401 ? "This is not the token." : (await answer.json()).error;
  } catch {
    failed.textContent = "The server does not answer.";
  }
  failed.hidden = false;
  byId("token").focus();
});

byId("sign-out").addEventListener("click", async () => {
  await fetch("/v1/session", { method: "DELETE" });
  location.reload();
});

begin();
