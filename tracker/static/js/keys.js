// Keys. Whatever carries data-shortcut="r" is pressed (or focused, if it is an input) by that key; "g q" is two keys.
// data-shortcut-words says what it does, for the list under "?".
//
// Rows: in an element with data-rows, j and k move between the elements with data-row; the focus stands on the row's
// [data-row-link], so Enter opens it. An element with data-row-key="a" inside a row is pressed by that key for that row.
(function () {
  "use strict";
  const PAUSE = 1500; // milliseconds between the two keys of a pair
  const help = document.getElementById("help");
  const switchBox = help.querySelector("[data-shortcuts-on]");
  let first = "";
  let timer = 0;

  function on() {
    try {
      return window.localStorage.getItem("jakwatch-keys") !== "off";
    } catch {
      return true;
    }
  }
  switchBox.checked = on();
  switchBox.addEventListener("change", () => {
    try {
      window.localStorage.setItem("jakwatch-keys", switchBox.checked ? "on" : "off");
    } catch {
      // a browser that keeps nothing: for this page they stay as they were
    }
  });

  // A dialog that has just closed may hold the focus for one more moment: nobody types into it.
  function typing(target) {
    if (target.closest("dialog:not([open])")) return false;
    if (target.matches("input[type=checkbox], input[type=radio], input[type=submit], input[type=button]")) return false;
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }

  function press(element) {
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)) {
      element.focus();
      if (element.select) element.select();
    } else {
      element.click();
    }
  }

  function links() {
    return Array.from(document.querySelectorAll("[data-rows] [data-row] [data-row-link]"));
  }

  function move(step) {
    const all = links();
    if (!all.length) return false;
    const row = document.activeElement.closest("[data-row]");
    const here = row ? all.findIndex((link) => row.contains(link)) : -1;
    const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1);
    all[next].focus();
    all[next].closest("[data-row]").scrollIntoView({ block: "nearest" });
    return true;
  }

  function inRow(key) {
    const row = document.activeElement.closest("[data-row]");
    return row ? row.querySelector(`[data-row-key="${CSS.escape(key)}"]`) : null;
  }

  function named(keys) {
    return document.querySelector(`[data-shortcut="${CSS.escape(keys)}"]`);
  }

  function row(keys, words) {
    const line = document.createElement("tr");
    const left = document.createElement("td");
    keys.split(" ").forEach((key) => {
      const cap = document.createElement("kbd");
      cap.textContent = key;
      left.append(cap, " ");
    });
    const right = document.createElement("td");
    right.textContent = words;
    line.append(left, right);
    line.dataset.made = "";
    return line;
  }

  function showHelp() {
    const list = help.querySelector("[data-shortcut-list]");
    list.querySelectorAll("[data-made]").forEach((line) => line.remove());
    const known = new Map();
    if (links().length) known.set("j", "Next row").set("k", "Previous row").set("Enter", "Open the row");
    document.querySelectorAll("[data-row-key]").forEach((element) => {
      known.set(element.dataset.rowKey, element.dataset.rowKeyWords || element.textContent.trim());
    });
    document.querySelectorAll("[data-shortcut]").forEach((element) => {
      known.set(element.dataset.shortcut, element.dataset.shortcutWords || element.textContent.trim());
    });
    known.forEach((words, keys) => list.append(row(keys, words)));
    help.showModal();
  }

  function answer(key) {
    if (first) {
      const pair = named(`${first} ${key}`);
      first = "";
      if (pair) {
        press(pair);
        return true;
      }
    }
    if (key === "?") {
      showHelp();
      return true;
    }
    if (key === "j" || key === "k") return move(key === "j" ? 1 : -1);
    const found = inRow(key) || named(key);
    if (found) {
      press(found);
      return true;
    }
    if (document.querySelector(`[data-shortcut^="${CSS.escape(key)} "]`)) {
      first = key;
      window.clearTimeout(timer);
      timer = window.setTimeout(() => (first = ""), PAUSE);
      return true;
    }
    return false;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
    if (!switchBox.checked || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (answer(event.key)) event.preventDefault();
  });
})();
