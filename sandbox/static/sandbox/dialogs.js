// The dialogs.
import { $, h } from "./dom.js";

// fields: {name: {label, type, value, placeholder, help, required}}; `submit` gets the values and can throw an Error to show.
export function ask(title, fields, submitLabel, submit) {
  const dialog = $("dialog");
  const error = h("p", { className: "error", role: "alert", hidden: true });
  const inputs = Object.entries(fields).map(([name, field]) => input(name, field));
  const form = h("form", { method: "dialog" }, h("h2", { textContent: title }), ...inputs, error,
    h("div", { className: "actions" },
      h("button", { type: "button", className: "quiet", textContent: "Cancel", onclick: () => dialog.close() }),
      h("button", { type: "submit", className: "primary", textContent: submitLabel })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = {};
    for (const element of form.querySelectorAll("[name]")) values[element.name] = element.type === "checkbox" ? element.checked : element.value;
    try {
      await submit(values);
      dialog.close();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
    }
  });
  show(form);
}

function input(name, field) {
  if (field.type === "checkbox") {
    return h("label", { className: "check" }, h("input", { type: "checkbox", name, checked: !!field.value }), field.label);
  }
  return h("label", { className: "field" }, h("span", { textContent: field.label }),
    h("input", { name, type: field.type || "text", value: field.value ?? "", placeholder: field.placeholder ?? "", required: !!field.required, step: field.step ?? "any" }),
    field.help ? h("small", { textContent: field.help }) : null);
}

export function pick(title, choices, chosen) {
  const dialog = $("dialog");
  const buttons = choices.map((choice) =>
    h("button", { type: "button", onclick: () => { dialog.close(); chosen(choice.id); } },
      choice.title, choice.description ? h("small", { textContent: choice.description }) : null));
  show(h("form", { method: "dialog" }, h("h2", { textContent: title }), h("div", { className: "choice" }, ...buttons),
    h("div", { className: "actions" }, h("button", { type: "submit", className: "quiet", textContent: "Cancel" }))));
}

export function tell(title, pairs, actions = []) {
  const dialog = $("dialog");
  const list = pairs.flatMap(([name, value]) => [h("dt", { textContent: name }), h("dd", { textContent: value })]);
  const buttons = actions.map(([label, act]) => h("button", { type: "button", className: "quiet", textContent: label, onclick: () => { dialog.close(); act(); } }));
  show(h("form", { method: "dialog" }, h("h2", { textContent: title }), h("dl", {}, ...list),
    h("div", { className: "actions" }, ...buttons, h("button", { type: "submit", className: "primary", textContent: "Close" }))));
}

function show(form) {
  const dialog = $("dialog");
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
}
