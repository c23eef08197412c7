// Has the browser make or use a passkey when a form with `data-passkey` is sent, and sends what came of it.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const read = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function made(options) {
  const { challenge, user, excludeCredentials } = options;
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(challenge),
      user: { ...user, id: bytes(user.id) },
      excludeCredentials: read(excludeCredentials),
    },
  });
  const { clientDataJSON, attestationObject } = made.response;
  return told(made, { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) });
}

async function used(options) {
  const used = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: read(options.allowCredentials),
    },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = used.response;
  return told(used, {
    clientDataJSON: text(clientDataJSON),
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    userHandle: userHandle ? text(userHandle) : null,
  });
}

const told = ({ id, rawId, type }, response) =>
  JSON.stringify({ id, rawId: text(rawId), type, response, clientExtensionResults: {} });

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const credential = form.elements.namedItem("credential");
  const problem = form.querySelector("[data-problem]");
  form.addEventListener("submit", async (event) => {
    if (credential.value) return;
    event.preventDefault();
    problem.hidden = true;
    try {
      const { publicKey } = JSON.parse(form.dataset.options);
      credential.value = await (form.dataset.passkey === "new" ? made(publicKey) : used(publicKey));
    } catch {
      // The person has said no, has no such passkey, or the browser knows none: one sentence for all.
      problem.hidden = false;
      return;
    }
    form.requestSubmit();
  });
}
