// The queue: the row that was acted on has the focus again when the page comes back, and one tick ticks them all.
const KEPT = "jakwatch-queue-row";

document.querySelectorAll("[data-row] form").forEach((form) => {
  form.addEventListener("submit", () => {
    window.sessionStorage.setItem(KEPT, form.closest("[data-row]").dataset.patient);
  });
});

const kept = window.sessionStorage.getItem(KEPT);
if (kept) {
  window.sessionStorage.removeItem(KEPT);
  document.querySelector(`[data-row][data-patient="${CSS.escape(kept)}"] [data-row-link]`)?.focus();
}

const all = document.querySelector("[data-tick-all]");
if (all) {
  const ticks = document.querySelectorAll("input[name=patient]");
  all.addEventListener("change", () => ticks.forEach((tick) => (tick.checked = all.checked)));
  ticks.forEach((tick) => {
    tick.addEventListener("change", () => (all.checked = Array.from(ticks).every((one) => one.checked)));
  });
}
