// What the customer does: write, attach, react, quote, edit, delete, tap.
import { post, upload } from "./api.js";
import { refresh } from "./chat.js";
import { ask, tell } from "./dialogs.js";
import { $, h, icon } from "./dom.js";
import { chatPath, state } from "./state.js";

const EMOJIS = ["👍", "❤️", "😂", "😮", "🙏"];
const ACCEPT = { image: "image/*", video: "video/*", audio: "audio/*", document: "" };
let quoting = null;
let editing = null;

export async function act(gesture) {
  try {
    await post(`${chatPath()}/messages`, gesture);
  } catch (problem) {
    tell("Something went wrong", [["Reason", problem.message]]);
  }
  refresh();
}

const withQuote = (gesture) => (quoting ? { ...gesture, quotes: quoting.wamid } : gesture);

export async function sendFile(kind, blob, filename, more = {}) {
  try {
    const { spoken, ...rest } = more;
    const media_id = await upload(state.number, blob, filename, spoken);
    await act(withQuote({ kind, media_id, ...rest }));
  } catch (problem) {
    tell("The file wasn't sent", [["Reason", problem.message]]);
  }
  forget();
}

function submit(event) {
  event?.preventDefault();
  const text = $("text").value;
  if (!text.trim()) return;
  act(editing ? { kind: "edit", wamid: editing.wamid, text } : withQuote({ kind: "text", text }));
  $("text").value = "";
  forget();
  grow();
}

function forget() {
  quoting = editing = null;
  $("quote-bar").hidden = true;
}

function bar(title, message) {
  $("quote-title").textContent = title;
  $("quote-text").textContent = message.text || message.kind;
  $("quote-bar").hidden = false;
  $("text").focus();
}

function grow() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 130)}px`;
  $("send").hidden = !text.value.trim();
  $("record").hidden = !!text.value.trim();
}

function attach(kind) {
  $("attach-menu").hidden = true;
  if (kind === "location") return askLocation();
  if (kind === "contacts") {
    return ask("Send a contact card", { name: { label: "Name", required: true, value: "Noor Haddad" }, phone: { label: "Phone number", required: true, value: "+1 555 765 4321" } }, "Send",
      (values) => act(withQuote({ kind, ...values })).then(forget));
  }
  if (kind === "unsupported") return act({ kind });
  const file = $("file");
  file.accept = ACCEPT[kind];
  file.dataset.kind = kind;
  file.value = "";
  return file.click();
}

function askLocation(quotes) {
  ask("Send a location", {
    name: { label: "Name", value: "Harbour Market" }, address: { label: "Address", value: "12 Quay Street" },
    latitude: { label: "Latitude", type: "number", value: "53.3478", required: true }, longitude: { label: "Longitude", type: "number", value: "-6.2397", required: true },
  }, "Send", (values) => act(quotes ? { kind: "location", ...values, quotes } : withQuote({ kind: "location", ...values })).then(forget));
}

function chosen(event) {
  const file = event.target.files[0];
  if (!file) return;
  const kind = event.target.dataset.kind;
  const caption = $("text").value.trim();
  if (kind === "audio") return askSpoken((spoken) => sendFile(kind, file, file.name, { voice: true, spoken }));
  $("text").value = "";
  grow();
  return sendFile(kind, file, file.name, { caption });
}

// The transcription stand-in can't transcribe audio, so the sender types what the voice note says.
function askSpoken(send) {
  ask("Voice note", { spoken: { label: "What it says", placeholder: "Do you have rye bread?", help: "For the transcription stand-in. A real model doesn't need it." } }, "Send", (values) => send(values.spoken));
}

export function openMenu(message, button) {
  const menu = $("bubble-menu");
  const entry = (name, label, run) => h("button", { type: "button", role: "menuitem", onclick: () => { close(); run(); } }, icon(name), label);
  const close = () => { menu.hidden = true; button.setAttribute("aria-expanded", "false"); };
  const emojis = EMOJIS.map((emoji) => {
    const mine = message.customer_reaction === emoji;
    return h("button", { type: "button", textContent: emoji, "aria-label": `React ${emoji}`, "aria-pressed": String(mine), onclick: () => { close(); act({ kind: "reaction", wamid: message.wamid, emoji: mine ? "" : emoji }); } });
  });
  const editable = message.mine && ["text", "image", "video", "document"].includes(message.kind);
  menu.replaceChildren(...[
    h("div", { className: "emojis" }, ...emojis),
    entry("reply", "Reply", () => { editing = null; quoting = message; bar("Reply", message); }),
    editable ? entry("edit", "Edit", () => { quoting = null; editing = message; $("text").value = message.text; grow(); bar("Edit", message); }) : null,
    message.mine ? entry("trash", "Delete for everyone", () => act({ kind: "revoke", wamid: message.wamid })) : null,
    message.mine ? entry("again", "Deliver again (a duplicate)", () => act({ kind: "again", wamid: message.wamid })) : null,
    entry("copy", "Details", () => tell("Message", [["ID", message.wamid], ["Kind", message.kind], ["State", message.state], ["Content", JSON.stringify(message.content)]])),
  ].filter(Boolean));
  menu.hidden = false;
  button.setAttribute("aria-expanded", "true");
  const at = button.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.left - 120, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
  menu.querySelector("button").focus();
}

export const bubbleActions = {
  tap: (message, id) => act({ kind: "tap", wamid: message.wamid, id }),
  location: (message) => askLocation(message.wamid),
  again: (message) => act({ kind: "again", wamid: message.wamid }),
  open: openMenu,
};

export function start() {
  $("composer").addEventListener("submit", submit);
  $("text").addEventListener("input", grow);
  $("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event); });
  $("attach").addEventListener("click", () => { $("attach-menu").hidden = !$("attach-menu").hidden; });
  $("quote-cancel").addEventListener("click", () => { if (editing) { $("text").value = ""; grow(); } forget(); });
  $("file").addEventListener("change", chosen);
  document.querySelectorAll("[data-attach]").forEach((button) => button.addEventListener("click", () => attach(button.dataset.attach)));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#attach-menu, #attach")) $("attach-menu").hidden = true;
    if (!event.target.closest("#bubble-menu, .more")) $("bubble-menu").hidden = true;
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { $("attach-menu").hidden = true; $("bubble-menu").hidden = true; } });
  grow();
}
