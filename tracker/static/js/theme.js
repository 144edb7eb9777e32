// Loaded in the head, before anything is drawn, so that a dark page never flashes white.
// Kept in this browser: "light", "dark", or nothing for what the system says.
(function () {
  "use strict";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return window.localStorage.getItem("jakwatch-theme") || "";
    } catch {
      return ""; // a browser that keeps nothing
    }
  }

  function apply() {
    const theme = chosen() || (system.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-bs-theme", theme);
  }

  window.jakwatchTheme = {
    chosen,
    choose(theme) {
      try {
        window.localStorage.setItem("jakwatch-theme", theme);
      } catch {
        // shown for this page only
      }
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
