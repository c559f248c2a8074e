// The weather and the log.
import { get, post, remove } from "./api.js";
import { tell } from "./dialogs.js";
import { $, h, icon } from "./dom.js";

const EVERY = 2000;
const AREAS = { graph: "Sending (Graph API)", webhook: "Webhooks to the bot", media: "Files", hearing: "Transcription", model: "The model" };
// Useful error codes, with short names.
const CODES = { 131000: "Something went wrong", 4: "App throttled", 80007: "Account throttled", 130429: "Number throttled", 131056: "Pair throttled", 131048: "Spam limit", 131064: "Messaging limit", 131057: "Maintenance", 133004: "Server unavailable", 1: "API unknown", 2: "API service", 131016: "Service unavailable", 0: "Auth", 3: "API method", 10: "Permission", 190: "Token expired", 200: "API permission", 131005: "Access denied", 368: "Policy", 130497: "Country restricted", 131031: "Account locked", 131042: "Payment", 133010: "Not registered", 131045: "Certificate", 131047: "24-hour window", 131026: "Undeliverable", 130403: "Blocked", 131021: "Same number", 131030: "Not in allowed list", 131062: "User ID not supported", 100: "Bad request", 131008: "Parameter missing", 131009: "Parameter invalid", 131051: "Unsupported type" };
let kinds = null;
let newest = 0;

function draw(report) {
  if (!kinds) { kinds = report.kinds; options(); }
  $("weather-now").textContent = report.rules.length ? "Active rules:" : "The weather is fine: no faults.";
  $("rules").replaceChildren(...report.rules.map((rule) => {
    const { id, area, kind, times, ...params } = rule;
    const details = Object.entries(params).map(([name, value]) => `${name} ${value}`).join(", ");
    return h("li", {}, h("span", { className: "grow" }, `${AREAS[area]}: ${kinds[area][kind].says.replace("`code`", params.code).replace("`seconds`", `${params.seconds} seconds`).replace("`copies`", params.copies).replace("`size`", params.size)}`,
      h("small", { textContent: [times === null ? "every time" : `${times} more`, details].filter(Boolean).join(" · ") })),
      h("button", { type: "button", className: "icon-button", "aria-label": "Remove", title: "Remove", onclick: async () => draw(await remove(`weather?id=${id}`)) }, icon("close")));
  }));
}

function options() {
  $("rule-kind").replaceChildren(...Object.entries(kinds).map(([area, found]) =>
    h("optgroup", { label: AREAS[area] }, ...Object.entries(found).map(([kind, { says }]) => h("option", { value: `${area}/${kind}`, textContent: says.replaceAll("`", "") })))));
  params();
}

function chosen() {
  const [area, kind] = $("rule-kind").value.split("/");
  return { area, kind, found: kinds[area][kind] };
}

function params() {
  const { found } = chosen();
  $("rule-params").replaceChildren(...Object.entries(found.params).map(([name, value]) =>
    h("label", { className: "field" }, h("span", { textContent: name.replace("_", " ") }), name === "code" ? codes(value) : h("input", { name, type: typeof value === "number" ? "number" : "text", value, min: 0, step: "any" }))));
}

function codes(value) {
  return h("select", { name: "code" }, ...Object.entries(CODES).map(([code, title]) => h("option", { value: code, textContent: `${code} ${title}`, selected: Number(code) === value })));
}

async function add(event) {
  event.preventDefault();
  const { area, kind, found } = chosen();
  const times = $("rule-times").value;
  const rule = { area, kind, times: times ? Number(times) : null };
  for (const element of $("rule-params").querySelectorAll("[name]")) {
    rule[element.name] = typeof found.params[element.name] === "number" ? Number(element.value) : element.value;
  }
  try {
    draw(await post("weather", rule));
  } catch (problem) {
    tell("The rule wasn't added", [["Reason", problem.message]]);
  }
}

// A short summary of a request.
function about({ area, path, body }) {
  if (area === "webhook") {
    const values = (body?.entry ?? []).flatMap((e) => e.changes ?? []).map((c) => c.value ?? {});
    return values.flatMap((v) => [...(v.messages ?? []).map((m) => m.type), ...(v.statuses ?? []).map((s) => s.status)]).join(", ") || "webhook";
  }
  if (body?.status === "read") return body.typing_indicator ? "read, typing" : "read";
  if (body?.type) return `${body.type} to ${body.to ?? body.recipient}`;
  if (body?.messages) return body.messages.at(-1)?.content?.toString() ?? "";
  return path.replace(/^.*\/sandbox\/[^/]*\//, "");
}

function entry(item) {
  const bad = item.status === null ? item.outcome !== "under way" : item.status >= 400;
  const at = new Date(item.time).toLocaleTimeString([], { timeStyle: "medium" });
  return h("li", {}, h("details", {},
    h("summary", {}, h("span", { className: "area", textContent: { graph: "Graph", model: "Model", webhook: "Webhook" }[item.area] }),
      h("span", { className: "what", textContent: about(item), title: `${item.method} ${item.path}` }), h("span", { className: bad ? "bad" : "", textContent: item.status ?? "…" })),
    h("pre", { textContent: `${at} ${item.method} ${item.path}\n${item.outcome}\n${item.body === null ? "" : JSON.stringify(item.body, null, 2)}` })));
}

async function logNow() {
  const { entries } = await get(`log?after=${newest}&limit=100`);
  if (!entries.length) return;
  // Entries that are still under way are requested again until they have an outcome.
  const open = entries.find((item) => item.outcome === "under way");
  const done = open ? entries.filter((item) => item.id < open.id) : entries;
  newest = done.at(-1)?.id ?? newest;
  $("log").prepend(...done.reverse().map(entry));
  [...$("log").children].slice(200).forEach((element) => element.remove());
}

async function tick() {
  if (!document.hidden) {
    try {
      if ($("pane-log").hidden) draw(await get("weather")); else await logNow();
    } catch { /* the chat shows it */ }
  }
  setTimeout(tick, EVERY);
}

function tab(name) {
  for (const other of ["weather", "log"]) {
    $(`pane-${other}`).hidden = other !== name;
    $(`tab-${other}`).setAttribute("aria-selected", String(other === name));
  }
  if (name === "log") logNow();
}

export function start() {
  $("rule-kind").addEventListener("change", params);
  $("rule-form").addEventListener("submit", add);
  $("tab-weather").addEventListener("click", () => tab("weather"));
  $("tab-log").addEventListener("click", () => tab("log"));
  tick();
}
