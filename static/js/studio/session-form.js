/**
 * The form of a show, for a new one and for an existing one: fields to JSON and errors back to the fields.
 * @module studio/session-form
 */
import { el, icon, need } from "../lib/dom.js";
import { ApiError, words } from "../lib/errors.js";

const NUMBERS = new Set(["slow_mode_seconds", "grace_seconds", "max_participants", "max_guests"]);

/** Local value of a datetime-local field to ISO in UTC, or null. */
const toIso = (local) => (local ? new Date(local).toISOString() : null);

/** ISO to the value of a datetime-local field, in the local zone. */
export function toLocal(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/**
 * @param {HTMLFormElement} form fields named as in the API, those of the settings with the prefix "settings."
 * @returns {Object} body for POST or PATCH
 */
export function readForm(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    const [group, name] = field.name.startsWith("settings.") ? ["settings", field.name.slice(9)] : [null, field.name];
    let value = field.type === "checkbox" ? field.checked : field.value;
    if (field.type === "datetime-local") value = toIso(field.value);
    else if (NUMBERS.has(name)) value = Number(value || 0);
    else if (typeof value === "string") value = value.trim();
    if (group) (body.settings ??= {})[name] = value;
    else body[name] = value;
  }
  return body;
}

/** Throws, in the shape of the API's own refusal, when a required field is empty: the server need not be asked. */
export function requireFilled(form) {
  const fields = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || !field.required || field.value.trim()) continue;
    fields[field.name] = [field.type === "datetime-local" ? "Choose a date and time." : "Give your show a title."];
  }
  const when = form.elements.namedItem("scheduled_for");
  if (when && !when.disabled && when.value && new Date(when.value) <= new Date()) fields.scheduled_for = ["Choose a time in the future."];
  if (Object.keys(fields).length) throw new ApiError({ code: "invalid", status: 400, fields });
}

/** Put a session's values into its fields. */
export function fillForm(form, session) {
  for (const field of form.elements) {
    if (!field.name) continue;
    const value = field.name.startsWith("settings.") ? session.settings?.[field.name.slice(9)] : session[field.name];
    if (value === undefined) continue;
    if (field.type === "checkbox") field.checked = Boolean(value);
    else if (field.type === "radio") field.checked = field.value === value;
    else if (field.type === "datetime-local") field.value = toLocal(value);
    else field.value = value ?? "";
    // A value that the list does not offer (set through the API) must not turn into the first entry by saving.
    if (field instanceof HTMLSelectElement && field.value !== String(value)) {
      field.append(new Option(String(value), String(value)));
      field.value = String(value);
    }
  }
}

/** Remove the errors of an earlier attempt. */
export function clearProblems(form) {
  for (const node of form.querySelectorAll(".problem")) node.remove();
  for (const node of form.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
  need("[data-form-problem]", form).replaceChildren();
}

/** Show each field's errors beside it, and the rest at the top; focus goes to the first. */
export function showProblems(form, error) {
  clearProblems(form);
  let first = null;
  const left = [];
  for (const [name, texts] of Object.entries(flat(error.fields || {}))) {
    const field = form.elements.namedItem(name) || form.elements.namedItem(`settings.${name}`);
    if (!(field instanceof HTMLElement)) { left.push(...texts); continue; }
    field.setAttribute("aria-invalid", "true");
    field.closest(".field, .switch")?.append(el("p", { class: "problem", role: "alert" }, icon("warning"), texts.join(" ")));
    first ??= field;
  }
  if (!first || left.length) need("[data-form-problem]", form).replaceChildren(el("div", { class: "note bad", role: "alert" }, icon("warning"), el("div", { class: "body" }, left.join(" ") || words(error))));
  first?.focus();
}

function flat(fields, prefix = "") {
  const out = {};
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value)) out[prefix + name] = value.map(String);
    else if (value && typeof value === "object") Object.assign(out, flat(value, `${name}.`));
    else out[prefix + name] = [String(value)];
  }
  return out;
}
