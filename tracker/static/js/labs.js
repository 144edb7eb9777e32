// The grid of results: keys, verdicts while one types, drafts, a pasted block. Without it the page works by its buttons.
const form = document.getElementById("labs");
const summary = form.querySelector("[data-summary]");
const kept = form.querySelector("[data-kept]");
const save = document.getElementById("save");
const block = document.getElementById("block");
const values = Array.from(form.querySelectorAll("input[name=value]"));
const rows = values.map((input) => input.closest("tr"));

const PAUSE = 250; // milliseconds without a key before it is judged
const KEEP = 900; // and before it is kept as a draft

// ------------------------------------------------------------------------------------------- keys

function go(input) {
  if (!input) return false;
  input.focus();
  if (input.select) input.select();
  return true;
}

function firstQuestion() {
  return form.querySelector("input[name=confirm]:not(:checked)");
}

function inValue(event) {
  const place = values.indexOf(event.target);
  if (place < 0) return false;
  const plain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
  const { key } = event;
  if (key === "Enter" || (key === "ArrowDown" && plain)) return go(values[place + 1]) || go(form.elements.add);
  if (key === "ArrowUp" && plain) return go(values[place - 1]) || true;
  if (key === "Tab" && plain) return go(values[place + 1]);
  if (key === "Tab" && event.shiftKey) return go(values[place - 1]);
  if (key === "ArrowRight" && plain && event.target.selectionStart === event.target.value.length) {
    return go(rows[place].querySelector("select[name=unit], input[name=unit]:not([type=hidden])"));
  }
  return false;
}

function inUnit(event) {
  if (event.target.name !== "unit") return false;
  const place = rows.indexOf(event.target.closest("tr"));
  if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) return go(values[place + 1]) || go(form.elements.add);
  if (event.key === "ArrowLeft" && event.target.tagName === "SELECT") return go(values[place]);
  return event.key === "Tab" && go(values[place]);
}

function elsewhere(event) {
  if (event.key !== "Enter") return false;
  if (event.target.id === "add") {
    form.requestSubmit(form.querySelector("button[value=add]"));
    return true;
  }
  // Enter in the lines on top, in a tick box: on to the values, never a submit by accident.
  const line = event.target.tagName === "INPUT" || event.target.name === "fasting";
  return line && event.target.type !== "submit" && go(values.find((input) => !input.value) || values[0]);
}

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(save);
    return;
  }
  if (inValue(event) || inUnit(event) || elsewhere(event)) event.preventDefault();
});

// ------------------------------------------------------------------------------------------- asking the server

async function send(url, more = {}) {
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true", Accept: "application/json" }, ...more });
  if (answer.status === 401) throw new Error("You are signed out. What was kept until then comes back when you sign in.");
  if (!answer.ok) throw new Error("Not judged: the server refused it. Check tells why.");
  return answer;
}

// ------------------------------------------------------------------------------------------- verdicts

const drawn = new Map();
let judging = null;
let judgeTimer = 0;
let round = 0;
let judged = true; // what stands in the cells is about what stands in the fields

function draw(element, html) {
  if (drawn.get(element) === html) return;
  drawn.set(element, html);
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus();
}

function drawRow(row, place, told, sent) {
  for (const name of ["range", "previous", "change", "verdict"]) draw(row.querySelector(`[data-cell=${name}]`), told[name]);
  row.dataset.state = told.state;
  // `460 /uL` was typed: the server took the unit out of it.
  const input = values[place];
  const unit = row.querySelector("[name=unit]");
  if (told.value !== sent && input.value === sent && document.activeElement !== input) {
    input.value = told.value;
    if (unit && unit.value !== told.unit) unit.value = told.unit;
  }
}

async function judge() {
  judging?.abort();
  judging = new AbortController();
  const mine = ++round;
  const sent = values.map((input) => input.value);
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await send(form.dataset.preview, { signal: judging.signal });
    const told = await answer.json();
    if (mine !== round) return;
    judged = true;
    told.rows.forEach((row, place) => drawRow(rows[place], place, row, sent[place]));
    draw(summary, told.summary);
    save.textContent = told.typed ? `Save ${told.typed} ${told.typed === 1 ? "value" : "values"}` : "Save";
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error instanceof TypeError ? "Not judged: the server cannot be reached." : error.message, true);
  } finally {
    if (mine === round) form.removeAttribute("aria-busy");
  }
}

// ------------------------------------------------------------------------------------------- drafts

let keepTimer = 0;
let dirty = false;
let keeping = Promise.resolve();
let leaving = false;

function say(words, wrong = false) {
  kept.textContent = words;
  kept.classList.toggle("labs-wrong", wrong);
}

async function keepNow(more = {}) {
  if (!dirty || leaving) return;
  dirty = false;
  try {
    await send(form.dataset.draft, more);
    say(`Draft kept ${new Date().toTimeString().slice(0, 5)}`);
  } catch (error) {
    dirty = true;
    say(error instanceof TypeError ? "Draft not kept: the server cannot be reached." : error.message, true);
  }
}

function keep(more) {
  window.clearTimeout(keepTimer);
  keeping = keeping.then(() => keepNow(more));
  return keeping;
}

function changed(event) {
  if (!event.target.name || event.target.name === "add") return;
  dirty = true;
  judged = false;
  say("");
  window.clearTimeout(judgeTimer);
  window.clearTimeout(keepTimer);
  judgeTimer = window.setTimeout(judge, event.type === "change" ? 0 : PAUSE);
  keepTimer = window.setTimeout(keep, KEEP);
}
form.addEventListener("input", changed);
form.addEventListener("change", (event) => {
  if (event.target.type === "checkbox" || event.target.tagName === "SELECT") changed(event);
});
form.addEventListener("focusout", (event) => {
  if (event.target.name === "value" && /[^\d\s.,<>≤≥=eE+-]/.test(event.target.value)) judge();
});

window.addEventListener("pagehide", () => keepNow({ keepalive: true }));
document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && keep({ keepalive: true }));
document.addEventListener("jakwatch:leaving", () => keepNow({ keepalive: true }));

// A draft that arrives after the save would bring back what is stored: one waits for it before the form goes.
form.addEventListener("submit", async (event) => {
  if (leaving) return;
  event.preventDefault();
  window.clearTimeout(keepTimer);
  window.clearTimeout(judgeTimer);
  if (event.submitter === save) {
    if (!judged) await judge();
    if (firstQuestion()) {
      go(firstQuestion());
      return;
    }
  } else {
    keep();
  }
  await keeping;
  // Where nothing had to be waited for, the event is not over yet, and until then a form ignores a second submit.
  await new Promise((done) => setTimeout(done));
  leaving = true;
  form.requestSubmit(event.submitter);
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload(); // kept by the browser: what is stored may have changed since
});

// ------------------------------------------------------------------------------------------- a pasted block

form.addEventListener("paste", (event) => {
  if (event.target === block) return;
  const text = event.clipboardData.getData("text/plain").trim();
  if (!/[\n\t]/.test(text)) return;
  event.preventDefault();
  block.value = [block.value.trim(), text].filter(Boolean).join("\n");
  block.closest("details").open = true;
  dirty = true;
  form.requestSubmit(form.querySelector("button[value=paste]"));
});

// ------------------------------------------------------------------------------------------- at the start

// This page may be the answer to a POST (a pasted block, a check). Back and reload then ask for the form, which brings back the draft.
window.history.replaceState(window.history.state, "", window.location.href);

if (!document.querySelector("[data-focus]")) go(values.find((input) => !input.value) || values[0]);
if (values.some((input) => input.value)) judge();
if (!form.hasAttribute("data-fresh")) dirty = true;
