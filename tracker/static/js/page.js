// What every page does: menus that close, the choice of colours, the token of forms for htmx, the errors in view.
(function () {
  "use strict";

  // A menu closes when one goes elsewhere or presses Escape, and the focus returns to it.
  const menus = document.querySelectorAll("details.jw-menu");
  function close(menu) {
    menu.open = false;
  }
  document.addEventListener("click", (event) => {
    menus.forEach((menu) => menu.contains(event.target) || close(menu));
  });
  menus.forEach((menu) => {
    menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget)) close(menu);
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      close(menu);
      menu.querySelector("summary").focus();
    });
  });

  const themes = document.querySelectorAll("[data-theme-choice]");
  function mark() {
    themes.forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === window.jakwatchTheme.chosen()));
    });
  }
  themes.forEach((button) => {
    button.addEventListener("click", () => {
      window.jakwatchTheme.choose(button.dataset.themeChoice);
      mark();
    });
  });
  mark();

  document.querySelectorAll("[data-open]").forEach((button) => {
    button.addEventListener("click", () => document.getElementById(button.dataset.open).showModal());
  });

  // What htmx sends carries the same token as a form.
  const token = document.querySelector("meta[name=csrf-token]");
  document.addEventListener("htmx:config:request", (event) => {
    if (token) event.detail.ctx.request.headers["X-CSRFToken"] = token.content;
  });

  const focus = document.querySelector("[data-focus]");
  if (focus) focus.focus();

  // The sign-in page of the demonstration.
  document.querySelectorAll("[data-fill-username]").forEach((button) => {
    button.addEventListener("click", () => {
      document.getElementById("username").value = button.dataset.fillUsername;
      document.getElementById("password").value = button.dataset.fillPassword;
      document.querySelector("form button[type=submit]").focus();
    });
  });
})();
