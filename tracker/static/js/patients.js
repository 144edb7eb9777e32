// The observation form: of the words an observation is told in, those of the kind that is chosen.
document.querySelectorAll("[data-observation]").forEach((form) => {
  const kind = form.querySelector("select");
  const words = form.querySelectorAll("[data-kind]");

  function show() {
    words.forEach((line) => {
      line.hidden = kind.value !== "" && line.dataset.kind !== kind.value;
    });
  }

  kind.addEventListener("change", show);
  show();
});
