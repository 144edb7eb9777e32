// Passkeys. What the server asks of the browser stands in data-passkey, as JSON; the browser's answer goes into the form.
(function () {
  "use strict";
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const told = form.querySelector("[data-passkey-told]");
  const WORDS = {
    NotAllowedError: "The browser gave no passkey: it was told not to, there is none for this site, or it waited too long.",
    InvalidStateError: "This device holds a passkey of yours for this site already.",
    SecurityError: "Passkeys do not work at this address.",
  };

  function bytes(text) {
    const plain = window.atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  }

  function text(buffer) {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return window.btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function named(credentials) {
    return (credentials || []).map((one) => ({ ...one, id: bytes(one.id) }));
  }

  function ask() {
    const asked = JSON.parse(form.dataset.passkey);
    const publicKey = { ...asked, challenge: bytes(asked.challenge) };
    if (!asked.rp) {
      return navigator.credentials.get({ publicKey: { ...publicKey, allowCredentials: named(asked.allowCredentials) } });
    }
    const user = { ...asked.user, id: bytes(asked.user.id) };
    const excludeCredentials = named(asked.excludeCredentials);
    return navigator.credentials.create({ publicKey: { ...publicKey, user, excludeCredentials } });
  }

  function answer(credential) {
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[part]) response[part] = text(credential.response[part]);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  }

  function say(words) {
    told.textContent = words;
    told.hidden = false;
  }

  async function run() {
    if (!window.PublicKeyCredential) {
      say("This browser has no passkeys, or not at this address: they need https.");
      return;
    }
    told.hidden = true;
    try {
      form.elements.answer.value = answer(await ask());
    } catch (error) {
      say(WORDS[error.name] || `The browser gave no passkey (${error.name}).`);
      return;
    }
    HTMLFormElement.prototype.submit.call(form);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  if ("passkeyNow" in form.dataset) run();
})();
