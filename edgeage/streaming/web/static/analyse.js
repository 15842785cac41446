// One picture: chosen, dropped or pasted, sent, and shown with what was found in it.

import { age, drawBoxes, emptyRow, gender, percent, row } from "./faces.js";

const byId = (id) => document.getElementById(id);

export function startAnalysing({ maxBytes, stores, onUnauthorized }) {
  const input = byId("file");
  const drop = byId("drop");
  let sending = null;
  let shown = null;

  byId("analyse").hidden = false;
  byId("file-note").textContent = `Up to ${megabytes(maxBytes)}. It goes to this server only, `
    + (stores ? "which stores it." : "and is not stored.");

  input.addEventListener("change", () => {
    if (input.files.length) analyse(input.files[0]);
  });
  document.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    drop.dataset.over = "yes";
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.dataset.over = "";
  });
  document.addEventListener("drop", (event) => {
    drop.dataset.over = "";
    const files = event.dataTransfer.files;
    if (!files.length) return;
    event.preventDefault();
    analyse(files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) analyse(file);
  });

  async function analyse(file) {
    sending?.abort();
    const mine = (sending = new AbortController());
    byId("result").hidden = true;
    fail("");
    if (file.size > maxBytes) return fail(`${file.name} is too large (${megabytes(file.size)}).`);
    progress(`Analysing ${file.name}…`);
    try {
      const form = new FormData();
      form.append("image", file, file.name);
      const answer = await fetch("/v1/predict", {
        method: "POST", body: form, signal: mine.signal,
      });
      if (answer.status === 401) return onUnauthorized();
      const told = await answer.json().catch(() => ({}));
      if (!answer.ok) return fail(reason(answer, told));
      await show(file, told);
    } catch (error) {
      if (error.name === "AbortError") return;
      fail("The server cannot be reached; try again.");
    } finally {
      if (sending === mine) {
        progress("");
        // The same file may be chosen again.
        input.value = "";
      }
    }
  }

  async function show(file, told) {
    if (shown) URL.revokeObjectURL(shown);
    shown = URL.createObjectURL(file);
    const image = byId("analysed");
    image.src = shown;
    const seen = await image.decode().then(() => true, () => false);
    const words = told.faces.map((face) => `${gender(face)}, ${age(face)} years`).join("; ");
    image.alt = `${file.name}: ${words}`;
    drawBoxes(byId("boxes"), seen ? told.faces : [], image.naturalWidth || 1, image.naturalHeight || 1);
    byId("result-note").textContent = [
      told.note, seen ? "" : "This browser cannot show the picture.",
    ].filter(Boolean).join(" ");
    const rows = told.faces.map((face, place) => row(
      place, `${place + 1}`, age(face), gender(face),
      face.detected ? percent(face.score) : "whole picture",
    ));
    byId("faces").tBodies[0].replaceChildren(...(rows.length ? rows : [emptyRow("No face", 4)]));
    byId("result").hidden = false;
    byId("result").focus();
  }

  function progress(text) {
    byId("progress").hidden = !text;
    byId("progress").textContent = text;
  }

  function fail(text) {
    byId("error").hidden = !text;
    byId("error").textContent = text;
  }
}

function reason(answer, told) {
  const wait = answer.headers.get("Retry-After");
  const text = told.error ?? `the server answered ${answer.status}`;
  const isName = told.image && text.startsWith(told.image);
  const line = isName ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return wait ? `${line} (in ${wait} s).` : `${line}.`;
}

function megabytes(bytes) {
  return `${Number((bytes / 1e6).toPrecision(3))} MB`;
}
