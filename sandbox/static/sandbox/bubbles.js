// A message as a bubble.
import { clock, h, icon } from "./dom.js";
import { pick, tell } from "./dialogs.js";

const TICKS = {
  posting: ["clock", "Sending to the webhook", ""], held: ["clock", "Waiting for a batch to fill", ""],
  delivered: ["ticks", "Accepted by the webhook", ""], read: ["ticks", "Read", "read"], refused: ["alert", "Not delivered", ""],
};

// actions: tap(message, id), location(message), again(message), open(message, button), jump(wamid)
export function bubble(message, first, actions) {
  const side = message.mine ? "mine" : "theirs";
  const reactions = [message.customer_reaction, message.business_reaction].filter(Boolean);
  const more = h("button", { type: "button", className: "icon-button more", "aria-label": "Message menu", "aria-haspopup": "menu" }, icon("more"));
  const item = h("li", { className: `bubble ${side}${first ? " first" : ""}${message.deleted ? " deleted" : ""}${reactions.length ? " reacted" : ""}`, "data-wamid": message.wamid },
    quoted(message, actions), ...body(message), problem(message, actions), meta(message), taps(message, actions),
    reactions.length ? h("span", { className: "reactions", textContent: reactions.join("") }) : null,
    message.deleted ? null : more);
  more.addEventListener("click", () => actions.open(message, more));
  item.addEventListener("contextmenu", (event) => { if (!message.deleted) { event.preventDefault(); actions.open(message, more); } });
  return item;
}

function quoted(message, actions) {
  if (!message.quotes || message.deleted) return null;
  return h("button", { type: "button", className: "quoted", textContent: message.quotes.text || "Message not found", onclick: () => actions.jump(message.quotes.wamid) });
}

function words(text, className = "words") {
  return text ? h("div", { className, textContent: text, dir: "auto" }) : null;
}

function body(message) {
  if (message.deleted) return [words(message.mine ? "You deleted this message" : "This message was deleted")];
  const draw = KINDS[message.kind];
  return draw ? draw(message) : [words(message.text || message.kind)];
}

function source(message) {
  return message.file ? message.file.url : "";
}

function card(name, title, small, href) {
  const inner = [icon(name), h("span", {}, h("span", { textContent: title }), small ? h("small", { textContent: small }) : null)];
  return href ? h("a", { className: "card", href, target: "_blank", rel: "noopener" }, ...inner) : h("div", { className: "card" }, ...inner);
}

function linked(message, name, label) {
  const link = message.content.link;
  return link ? card(name, label, link, link) : card(name, label, "File no longer available");
}

const KINDS = {
  image: (m) => [source(m) ? h("img", { className: "photo", src: source(m), alt: m.text || "Photo", loading: "lazy" }) : linked(m, "photo", "Photo"), words(m.text)],
  sticker: (m) => [source(m) ? h("img", { className: "photo", src: source(m), alt: "Sticker" }) : linked(m, "photo", "Sticker")],
  video: (m) => [source(m) ? h("video", { src: source(m), controls: true, preload: "metadata" }) : linked(m, "video", "Video"), words(m.text)],
  audio: (m) => [source(m) ? h("audio", { src: source(m), controls: true, preload: "metadata" }) : linked(m, "mic", "Audio")],
  document: (m) => [source(m) ? card("file", m.content.filename || m.file.filename || "Document", m.file.mime_type, source(m)) : linked(m, "file", m.content.filename || "Document"), words(m.text)],
  location: (m) => [card("pin", m.content.name || "Location", m.content.address || `${m.content.latitude}, ${m.content.longitude}`)],
  contacts: (m) => (m.content.contacts || []).map((c) => card("person", c.name.formatted_name, (c.phones || []).map((p) => p.phone).join(", "))),
  template: (m) => [...header(m), words(m.text), words(m.footer, "footer-text")],
  interactive: (m) => m.mine ? [words(m.text)] : [words(m.content.header?.text, "header-text"), words(m.text), words(m.content.footer?.text, "footer-text")],
};

// A template's header: a line of text, or the content of another kind of message.
function header(message) {
  if (!message.header) return [];
  const { kind, text, content } = message.header;
  return kind === "text" ? [words(text, "header-text")] : KINDS[kind]({ content, file: message.file, text: "" });
}

function problem(message, actions) {
  if (!message.problem) return null;
  const retry = message.mine && message.state === "refused"
    ? h("button", { type: "button", textContent: "Deliver again", onclick: () => actions.again(message) }) : null;
  return h("div", { className: "problem" }, icon("alert"), h("span", {}, message.problem, retry ? " " : null, retry));
}

function meta(message) {
  const time = h("span", { textContent: `${message.edited ? "edited " : ""}${clock(message.time)}` });
  if (!message.mine) return h("div", { className: "meta" }, time);
  const [name, label, className] = TICKS[message.state] || TICKS.posting;
  const tick = icon(name);
  return h("div", { className: "meta" }, time, h("span", { className, title: label, role: "img", "aria-label": label }, tick));
}

function taps(message, actions) {
  if (message.mine || message.deleted) return null;
  const kind = message.content.type;
  if (kind === "location_request_message") return row([["pin", "Send location", () => actions.location(message)]]);
  if (kind === "cta_url") {
    const { display_text: label, url } = message.content.action.parameters;
    return row([["reply", label, () => window.open(url, "_blank", "noopener")]]);
  }
  if (kind === "list") {
    const label = message.content.action.button;
    return row([["list", label, () => pick(label, message.buttons, (id) => actions.tap(message, id))]]);
  }
  if (!message.buttons.length) return null;
  return row(message.buttons.map((button) => tapOf(button, message, actions)));
}

function tapOf(button, message, actions) {
  const { title, id, url, call, code } = button;
  if (url) return ["link", title, url];
  if (call) return ["phone", title, `tel:${call}`];
  if (code) return ["copy", title, (event) => copy(code, event.currentTarget)];
  if (id) return ["reply", title, () => actions.tap(message, id)];
  return ["list", title, () => tell(title, [["Not supported", "The sandbox shows a flow's button, but can't open the flow."]])];
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code);
    button.lastChild.textContent = `Copied: ${code}`;
  } catch {
    tell("Your browser doesn't allow copying", [["Code", code]]);
  }
}

// A URL becomes a link, so that you can see it before you open it.
function row(buttons) {
  return h("div", { className: "taps" }, ...buttons.map(([name, label, act]) => typeof act === "string"
    ? h("a", { href: act, target: "_blank", rel: "noopener" }, icon(name), label)
    : h("button", { type: "button", onclick: act }, icon(name), label)));
}
