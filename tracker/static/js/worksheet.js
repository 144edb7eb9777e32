// The worksheet: keys, the verdict of a row while one types, a draft of each row, and a row saved without leaving the page.
const top = document.getElementById("sheet");
const kept = document.querySelector("[data-kept]");

const PAUSE = 250; // milliseconds without a key before a row is judged
const KEEP = 900; // and before it is kept as a draft

function say(words, wrong = false) {
  kept.textContent = words;
  kept.classList.toggle("labs-wrong", wrong);
}

function go(input) {
  if (!input) return false;
  input.focus();
  input.select();
  return true;
}

class Line {
  constructor(row) {
    this.row = row;
    this.form = document.getElementById(row.dataset.form);
    this.cells = Array.from(row.querySelectorAll("td[data-code]"));
    this.values = this.cells.map((cell) => cell.querySelector("input[name=value]"));
    this.says = document.getElementById(row.dataset.saysIn);
    this.button = row.querySelector("[data-save]");
    this.round = 0;
    this.dirty = false;
    this.stored = false;
    row.addEventListener("input", () => this.changed());
    this.says.addEventListener("change", () => this.judge());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  get typed() {
    return this.values.some((input) => input.value.trim());
  }

  async send(url) {
    for (const name of ["day", "laboratory"]) this.form.elements[name].value = top.elements[name].value;
    const body = new URLSearchParams(new FormData(this.form));
    const headers = { "HX-Request": "true", Accept: "application/json" };
    const answer = await fetch(url, { method: "POST", body, headers, keepalive: true });
    if (answer.status === 401) throw new Error("You are signed out. What was kept until then comes back when you sign in.");
    if (!answer.ok && answer.status !== 422) throw new Error("The server refused it: load the page again.");
    return answer;
  }

  changed() {
    this.dirty = true;
    this.stored = false;
    window.clearTimeout(this.judging);
    window.clearTimeout(this.keeping);
    this.judging = window.setTimeout(() => this.judge(), PAUSE);
    this.keeping = window.setTimeout(() => this.keep(), KEEP);
  }

  async judge() {
    const mine = ++this.round;
    try {
      const told = await (await this.send(this.row.dataset.preview)).json();
      if (mine === this.round) this.draw(told);
    } catch (error) {
      say(error instanceof TypeError ? "Not judged: the server cannot be reached." : error.message, true);
    }
  }

  draw(told) {
    told.cells.forEach((said) => {
      const cell = this.cells.find((one) => one.dataset.code === said.code);
      if (!cell) return;
      cell.dataset.state = said.state;
      cell.querySelector("[data-mark]").innerHTML = said.mark;
      const input = cell.querySelector("input[name=value]");
      const unit = cell.querySelector("input[name=unit]");
      if (said.unit && said.unit !== unit.value && input !== document.activeElement) {
        input.value = said.value; // `460 /uL` was typed: the server took the unit out of it
        unit.value = said.unit;
        cell.querySelector("[data-unit]").textContent = said.unit;
      }
    });
    const focused = this.says.contains(document.activeElement) ? document.activeElement.id : "";
    this.says.innerHTML = told.says;
    if (focused) document.getElementById(focused)?.focus();
  }

  async keep() {
    if (!this.dirty) return;
    this.dirty = false;
    try {
      await this.send(this.row.dataset.draft);
      say(`Draft kept ${new Date().toTimeString().slice(0, 5)}`);
    } catch (error) {
      this.dirty = true;
      say(error instanceof TypeError ? "Draft not kept: the server cannot be reached." : error.message, true);
    }
  }

  async save() {
    window.clearTimeout(this.judging);
    window.clearTimeout(this.keeping);
    this.round += 1;
    this.dirty = false; // a draft that arrives after the save would bring back what is stored
    this.button.disabled = true;
    try {
      const told = await (await this.send(this.form.action)).json();
      if (told.stored) this.done(told);
      else this.refused(told);
    } catch (error) {
      this.dirty = true;
      say(error instanceof TypeError ? "Not saved: the server cannot be reached." : error.message, true);
    }
    this.button.disabled = false;
  }

  done(told) {
    this.stored = true;
    this.row.classList.add("work-stored");
    const link = document.createElement("a");
    link.href = told.url;
    link.textContent = told.stored;
    this.says.replaceChildren(link);
    this.values.forEach((input) => {
      input.readOnly = true;
    });
    this.row.querySelector("select[name=fasting]").disabled = true;
    this.button.hidden = true;
    say(told.stored);
    const next = lines[lines.indexOf(this) + 1];
    if (next) go(next.values[0]);
    else link.focus();
  }

  refused(told) {
    this.draw(told);
    this.dirty = true;
    this.keep();
    say("Not saved: see the row.", true);
    const question = this.says.querySelector("input[name=confirm]:not(:checked)");
    const wrong = this.cells.find((cell) => ["refused", "taken"].includes(cell.dataset.state));
    if (question) question.focus();
    else go(wrong ? wrong.querySelector("input[name=value]") : this.values[0]);
  }
}

const lines = Array.from(document.querySelectorAll("[data-line]"), (row) => new Line(row));

function lineOf(element) {
  return lines.find((line) => line.row.contains(element) || line.says.contains(element));
}

function moved(event, line) {
  const place = line.values.indexOf(event.target);
  if (place < 0) return false;
  const here = lines.indexOf(line);
  const plain = !event.shiftKey && !event.altKey;
  if (event.key === "Enter" || (event.key === "Tab" && plain)) {
    if (go(line.values[place + 1])) return true;
    if (event.key === "Enter") line.button.focus();
    return event.key === "Enter";
  }
  if (event.key === "ArrowDown" && plain) return go(lines[here + 1]?.values[place]) || true;
  if (event.key === "ArrowUp" && plain) return go(lines[here - 1]?.values[place]) || true;
  return false;
}

document.addEventListener("keydown", (event) => {
  const line = lineOf(event.target);
  if (!line) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!line.stored) line.save();
    return;
  }
  if (moved(event, line)) event.preventDefault();
});

// Another day or laboratory is another sample: what is typed is judged anew. Another panel or patient is another page,
// and what is typed is kept before it is left.
top.addEventListener("change", (event) => {
  if (["day", "laboratory"].includes(event.target.name)) lines.filter((line) => line.typed && !line.stored).forEach((line) => line.changed());
});
window.addEventListener("pagehide", () => lines.forEach((line) => line.keep()));
document.addEventListener("jakwatch:leaving", () => lines.forEach((line) => line.keep()));
async function keepAllThen(leave) {
  await Promise.all(lines.map((line) => line.keep()));
  leave();
}
top.addEventListener("submit", (event) => {
  event.preventDefault();
  keepAllThen(() => top.submit());
});
document.querySelectorAll("[data-add]").forEach((link) => {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    keepAllThen(() => window.location.assign(link.href));
  });
});

const first = lines.find((line) => !line.typed) || lines[0];
lines.filter((line) => line.typed).forEach((line) => line.judge());
if (document.querySelector("[data-add]")) document.querySelector("[data-add]").focus();
else go(first.values[0]);
