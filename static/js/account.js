/**
 * Log-in with one tap for the demo people: fills the form and submits it.
 * @module account
 */
document.addEventListener("click", (event) => {
  const person = /** @type {Element} */ (event.target).closest("[data-demo-person]");
  if (!person) return;
  const form = /** @type {HTMLFormElement} */ (document.querySelector("#login-form"));
  form.elements.namedItem("username").value = person.dataset.demoPerson;
  form.elements.namedItem("password").value = person.dataset.demoPassword;
  form.requestSubmit();
});
