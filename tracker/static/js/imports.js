// A file dropped anywhere on its box is the chosen one; what is chosen is told; a box ticks all rows of the tray.
const upload = document.getElementById("upload");
if (upload) {
  const input = upload.querySelector("input[type=file]");
  const box = upload.querySelector("[data-drop]");
  const told = upload.querySelector("[data-told]");

  function tell() {
    const file = input.files[0];
    if (file) told.textContent = `${file.name}, ${Math.max(1, Math.round(file.size / 1024))} kB`;
  }
  input.addEventListener("change", tell);
  for (const name of ["dragenter", "dragover"]) {
    box.addEventListener(name, (event) => {
      event.preventDefault();
      box.classList.add("imports-over");
    });
  }
  for (const name of ["dragleave", "drop"]) box.addEventListener(name, () => box.classList.remove("imports-over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    tell();
    upload.querySelector("button").focus();
  });
  upload.addEventListener("submit", () => {
    if (input.files.length) told.textContent = "Reading the file…";
  });
}

const all = document.querySelector("[data-all]");
if (all) {
  const boxes = Array.from(document.querySelectorAll("input[name=row]"));
  all.hidden = false;
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  boxes.forEach((box) =>
    box.addEventListener("change", () => {
      all.checked = boxes.every((each) => each.checked);
      all.indeterminate = !all.checked && boxes.some((each) => each.checked);
    }),
  );
}
