// Two minutes before the session ends by itself the page asks; when it has ended the page leaves, so that nothing of a
// patient stays on the screen. Before it leaves, the document gets the event "jakwatch:leaving": drafts are stored then.
(function () {
  "use strict";
  const WARNING = 120; // seconds
  const dialog = document.getElementById("idle");
  const shown = dialog.querySelector("[data-idle-left]");
  const token = document.querySelector("meta[name=csrf-token]").content;
  let ends = 0;
  let ticker = 0;

  async function ask() {
    // As htmx asks: an ended session is then answered with 401 instead of the sign-in page.
    const answer = await fetch("/account/left", { headers: { "HX-Request": "true" } });
    if (answer.status === 401) return 0;
    if (!answer.ok) return WARNING + 60; // the server is in trouble; ask again in a minute
    return (await answer.json()).seconds;
  }

  function leave() {
    window.clearInterval(ticker);
    document.dispatchEvent(new CustomEvent("jakwatch:leaving"));
    window.location.assign(`/sign-in?notice=ended&next=${encodeURIComponent(window.location.pathname)}`);
  }

  function words(seconds) {
    return seconds > 90 ? "2 minutes" : seconds > 50 ? "1 minute" : `${seconds} seconds`;
  }

  function tick() {
    const seconds = Math.max(0, Math.round((ends - Date.now()) / 1000));
    shown.textContent = words(seconds);
    if (seconds === 0) {
      window.clearInterval(ticker);
      ask().then((left) => (left > 0 ? arm(left) : leave()), leave);
    }
  }

  function warn(seconds) {
    ends = Date.now() + seconds * 1000;
    if (!dialog.open) dialog.showModal();
    window.clearInterval(ticker);
    ticker = window.setInterval(tick, 1000);
    tick();
  }

  function arm(seconds) {
    window.clearInterval(ticker);
    if (seconds <= WARNING) {
      warn(seconds);
      return;
    }
    if (dialog.open) dialog.close();
    window.setTimeout(check, (seconds - WARNING) * 1000 + 500);
  }

  function check() {
    // Another page of the same session may have been in use meanwhile.
    ask().then((left) => (left > 0 ? arm(left) : leave()), () => arm(WARNING + 60));
  }

  dialog.querySelector("[data-idle-stay]").addEventListener("click", () => {
    window.clearInterval(ticker);
    fetch("/account/alive", { method: "POST", headers: { "X-CSRFToken": token, "HX-Request": "true" } }).then(check, check);
  });

  arm(Number(document.body.dataset.idle));
})();
