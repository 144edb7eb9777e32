// Draws the charts of [data-timeline]: fetches the document named there, lays the colours of the page over it, and draws it
// anew when the page gets wider, darker or is printed. No script is made at run time: Vega reads its expressions itself (`ast`).
const DAY = 86400000;
const PAPER = 690; // pixels across a page of A4; what a browser prints before it is drawn anew is only made smaller
const STYLES = {
  band: { color: "--jw-band" },
  line: { color: "--jw-soft" },
  value: { color: "--jw-ink", stroke: "--jw-ink" },
  limit: { color: "--jw-urgent" },
  limitlabel: { color: "--jw-urgent" },
  baseline: { color: "--jw-soft" },
  baselinelabel: { color: "--jw-soft" },
  dose: { color: "--desk-drug" },
  hold: { color: "--jw-urgent" },
  infection: { color: "--desk-sick" },
  event: { color: "--desk-sick" },
  barlabel: { color: "--jw-ink" },
  barlabelend: { color: "--jw-ink" },
};
const SEVERITIES = ["--jw-urgent", "--jw-soon", "--jw-routine", "--jw-info"];

// The colour that a custom property has here and now: light-dark() is worked out by asking an element for it.
function painter(host) {
  const probe = document.createElement("span");
  probe.hidden = true;
  host.append(probe);
  return {
    colour(name) {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    },
    done: () => probe.remove(),
  };
}

function themed(config, host) {
  const paint = painter(host);
  const style = structuredClone(config.style);
  for (const [name, colours] of Object.entries(STYLES)) {
    for (const [property, variable] of Object.entries(colours)) style[name][property] = paint.colour(variable);
  }
  const soft = paint.colour("--jw-soft");
  const line = paint.colour("--jw-line");
  const made = {
    ...config,
    font: getComputedStyle(host).fontFamily,
    style,
    range: { category: SEVERITIES.map(paint.colour) },
    title: { ...config.title, color: paint.colour("--jw-ink") },
    axis: { ...config.axis, labelColor: soft, gridColor: line, domainColor: line, tickColor: line },
  };
  paint.done();
  return made;
}

// A tip is a plain element that is moved with the pointer; its text comes from the server, a line each.
function tips(host) {
  const tip = document.createElement("div");
  tip.className = "desk-tip";
  tip.hidden = true;
  host.append(tip);
  return (_handler, event, _item, value) => {
    tip.hidden = !value;
    if (!value) return;
    tip.textContent = value;
    const box = host.getBoundingClientRect();
    const left = event.clientX - box.left + 14;
    tip.style.left = `${Math.min(left, box.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.clientY - box.top + 14}px`;
  };
}

class Timeline {
  constructor(host) {
    this.host = host;
    this.stage = host.querySelector("[data-stage]");
    this.tooltip = tips(host);
    this.window = null; // [from, to] in milliseconds
    this.drawn = "";
    this.margins = 0; // pixels that axes and names take beside the charts: known once they were drawn
  }

  async start() {
    const answer = await fetch(this.host.dataset.timeline, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the chart could not be loaded (${answer.status})`);
    this.spec = await answer.json();
    const { first, last, margins } = this.spec.usermeta;
    this.window = [first, last];
    this.margins = margins;
    if (!this.spec.vconcat.length) {
      this.host.hidden = true;
      return;
    }
    await this.draw();
    new ResizeObserver(() => this.draw()).observe(this.host);
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    window.matchMedia("print").addEventListener("change", () => this.draw());
    this.listen();
  }

  // One drawing at a time; what is asked for meanwhile is drawn once after it.
  async draw() {
    const paper = window.matchMedia("print").matches;
    const room = paper ? Math.min(this.stage.clientWidth, PAPER) : this.stage.clientWidth;
    const width = Math.floor(room - this.margins);
    const theme = document.documentElement.getAttribute("data-bs-theme");
    const key = `${width} ${theme} ${paper}`;
    if (width < 120 || key === this.drawn) return;
    this.drawn = key;
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    const spec = structuredClone(this.spec);
    spec.vconcat.forEach((part) => (part.width = width));
    spec.config = themed(spec.config, this.host);
    [spec.params[0].value, spec.params[1].value] = this.window;
    const made = await window.vegaEmbed(this.stage, spec, {
      ast: true,
      actions: false,
      defaultStyle: false,
      tooltip: this.tooltip,
      renderer: "svg",
    });
    if (this.view) this.view.finalize();
    this.view = made.view;
    const svg = this.stage.querySelector("svg");
    svg.setAttribute("aria-hidden", "true"); // the stage says what it is, and the table has every value
    const taken = Math.ceil(svg.width.baseVal.value) - width;
    if (Math.abs(taken - this.margins) > 2 && !this.again) {
      this.margins = taken;
      this.again = true;
    }
    this.host.dataset.ready = "";
    this.busy = false;
    if (this.again) {
      this.again = false;
      this.drawn = "";
      await this.draw();
    }
  }

  listen() {
    this.host.querySelectorAll("[data-months]").forEach((button) => {
      button.addEventListener("click", () => this.show(Number(button.dataset.months)));
    });
    this.host.addEventListener("keydown", (event) => {
      if (event.target !== this.stage || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
      const scale = { "+": 0.5, "-": 2 }[event.key];
      if (step) this.move(step);
      else if (scale) this.zoom(scale);
      else if (event.key === "0") this.show(0);
      else return;
      event.preventDefault();
    });
  }

  show(months) {
    const { first, last } = this.spec.usermeta;
    this.go(months ? Math.max(first, last - months * 30.4375 * DAY) : first, last);
    this.host.querySelectorAll("[data-months]").forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.months) === months));
    });
  }

  move(share) {
    const { first, last } = this.spec.usermeta;
    const [from, to] = this.window;
    const by = Math.min(Math.max((to - from) * share, first - from), last - to);
    this.go(from + by, to + by);
  }

  zoom(by) {
    const { first, last } = this.spec.usermeta;
    const [from, to] = this.window;
    const half = Math.max(((to - from) * by) / 2, 7 * DAY);
    const middle = (from + to) / 2;
    this.go(Math.max(first, middle - half), Math.min(last, middle + half));
  }

  go(from, to) {
    this.window = [from, to];
    this.view.signal("from", from).signal("to", to).run();
  }
}

document.querySelectorAll("[data-timeline]").forEach((host) => {
  new Timeline(host).start().catch((error) => {
    host.querySelector("[data-stage]").textContent = `The chart could not be drawn: ${error.message}. The table has the same values.`;
  });
});
