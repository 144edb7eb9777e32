// The decision: says which flags it is about, shows only the fields that the chosen decision uses, and saves with Ctrl+Enter.
const form = document.getElementById("decision");

if (form) {
  const ticks = Array.from(document.querySelectorAll("input[name=flag]"));
  const about = form.querySelector("[data-about]");
  const choices = Array.from(form.querySelectorAll("input[name=action]"));
  const until = form.querySelector("#until");

  function sayAbout() {
    const names = ticks.filter((tick) => tick.checked).map((tick) => tick.dataset.name);
    const distinct = Array.from(new Set(names));
    const shown = distinct.slice(0, 4).join(", ") + (distinct.length > 4 ? ` and ${distinct.length - 4} more` : "");
    about.textContent = names.length
      ? `About ${names.length === 1 ? "1 flag" : `${names.length} flags`}: ${shown}.`
      : "No flag is ticked: tick what the decision is about.";
  }

  // A field that is in error or that holds something stays in view, whatever is chosen.
  function showFields() {
    const chosen = choices.find((choice) => choice.checked);
    const needed = chosen ? chosen.dataset.needs.split(" ") : [];
    form.querySelectorAll("[data-field=on], [data-field=dose]").forEach((part) => {
      const wrong = part.querySelector(".jw-field-wrong");
      part.hidden = !wrong && !needed.includes(part.dataset.field);
    });
    form.querySelectorAll("[data-field]").forEach((part) => {
      part.classList.toggle("desk-needed", needed.includes(part.dataset.field));
    });
  }

  function isoDay(days) {
    const day = new Date();
    day.setDate(day.getDate() + days);
    const two = (number) => String(number).padStart(2, "0");
    return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
  }

  ticks.forEach((tick) => tick.addEventListener("change", sayAbout));
  choices.forEach((choice) => choice.addEventListener("change", showFields));
  form.querySelectorAll("[data-tick]").forEach((button) => {
    button.addEventListener("click", () => {
      ticks.forEach((tick) => (tick.checked = button.dataset.tick === "all"));
      sayAbout();
    });
  });
  form.querySelector("[data-in]").hidden = false;
  form.querySelectorAll("[data-days]").forEach((button) => {
    button.addEventListener("click", () => {
      until.value = isoDay(Number(button.dataset.days));
      until.focus();
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.contains(event.target)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("[data-save]"));
    }
  });
  document.querySelectorAll("[data-jump=decision]").forEach((link) => {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      form.scrollIntoView({ block: "start" });
      (choices.find((choice) => choice.checked) || choices[0]).focus();
    });
  });
  sayAbout();
  showFields();
}
