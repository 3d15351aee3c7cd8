// Passkeys (WebAuthn). A form with data-passkey="create" or "get" begins the browser's dialogue when it is sent, puts the
// answer into its fields and is then sent like any form, so that errors come back as pages.
"use strict";

const fromText = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function options(kind, publicKey) {
  const out = { ...publicKey, challenge: fromText(publicKey.challenge) };
  if (kind === "create") out.user = { ...publicKey.user, id: fromText(publicKey.user.id) };
  for (const list of ["excludeCredentials", "allowCredentials"]) {
    if (publicKey[list]) out[list] = publicKey[list].map((one) => ({ ...one, id: fromText(one.id) }));
  }
  return out;
}

function answer(credential) {
  const from = credential.response;
  const response = { clientDataJSON: toText(from.clientDataJSON) };
  if (from.attestationObject) {
    response.attestationObject = toText(from.attestationObject);
    response.transports = from.getTransports ? from.getTransports() : [];
  } else {
    response.authenticatorData = toText(from.authenticatorData);
    response.signature = toText(from.signature);
    response.userHandle = from.userHandle ? toText(from.userHandle) : null;
  }
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

async function ceremony(form) {
  const kind = form.dataset.passkey;
  const reply = await fetch(form.dataset.begin, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
  const begun = await reply.json();
  if (!reply.ok) throw new Error(begun.error);
  const publicKey = options(kind, begun.options.publicKey);
  let credential;
  try {
    credential = await navigator.credentials[kind]({ publicKey });
  } catch {
    throw new Error(form.querySelector(".passkey-error").dataset.cancelled);
  }
  form.elements.ceremony.value = begun.ceremony;
  form.elements.response.value = answer(credential);
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      if (form.dataset.when && !document.getElementById(form.dataset.when).checked) return;
      event.preventDefault();
      const problem = form.querySelector(".passkey-error");
      const button = form.querySelector("button[type=submit]");
      problem.hidden = true;
      button.disabled = true;
      try {
        await ceremony(form);
        button.disabled = false;
        form.submit();
      } catch (error) {
        button.disabled = false;
        problem.textContent = error.message;
        problem.hidden = false;
      }
    });
  }
}
