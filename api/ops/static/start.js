const form = document.querySelector("form");

async function start(credential) {
  const headers = credential ? {Authorization: `Bearer ${credential}`} : {};
  const answer = await fetch("/openapi.json", {headers});
  form.hidden = answer.status !== 401;
  form.elements.refused.value = credential ? "This credential is not valid." : "";
  if (!answer.ok) return;
  const ui = SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: "#ui",
    deepLinking: true,
    validatorUrl: null,
    onComplete: () => credential && ui.preauthorizeApiKey("credential", credential),
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  start(form.elements.credential.value.trim());
});
start();
