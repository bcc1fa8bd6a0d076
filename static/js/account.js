/**
 * Log-in with one tap for the demonstration's people: fills the form and sends it.
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
