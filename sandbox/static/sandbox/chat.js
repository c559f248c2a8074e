// The chat. Polls the sandbox every second and redraws what has changed.
import { get, post } from "./api.js";
import { bubble } from "./bubbles.js";
import { $, h, initials } from "./dom.js";
import { business, chatPath, state } from "./state.js";

const EVERY = 1000;
const EVERY_HIDDEN = 5000;
let drawn = "";
let timer = 0;
let following = true;
let actions = {};
export let messages = [];

export function start(given) {
  actions = { ...given, jump };
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  const list = $("chat");
  list.addEventListener("scroll", () => { following = list.scrollHeight - list.scrollTop - list.clientHeight < 80; });
  // Images only have a height once they've loaded.
  list.addEventListener("load", () => { if (following) list.scrollTop = list.scrollHeight; }, true);
  refresh();
}

export async function refresh() {
  clearTimeout(timer);
  const path = chatPath();
  try {
    if (path) await load(path);
  } catch (problem) {
    drawn = "";
    trouble(`The sandbox doesn't respond: ${problem.message}`);
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? EVERY_HIDDEN : EVERY);
}

async function load(path) {
  const chat = await get(path);
  if (path !== chatPath()) return;
  const picture = JSON.stringify([path, chat]);
  if (picture !== drawn) {
    draw(chat, !drawn.startsWith(JSON.stringify([path]).slice(0, -1)));
    drawn = picture;
  }
  if (!document.hidden && chat.messages.some((m) => !m.mine && m.state === "delivered")) await post(`${path}/seen`);
}

function draw(chat, fresh) {
  const list = $("chat");
  const atEnd = fresh || list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const grown = chat.messages.at(-1)?.wamid !== messages.at(-1)?.wamid;
  messages = chat.messages;
  const kept = new Map([...list.querySelectorAll("[data-drawn]")].map((element) => [element.dataset.drawn, element]));
  const items = [];
  let day = "";
  let before = null;
  for (const message of messages) {
    const today = new Date(message.time).toDateString();
    if (today !== day) { items.push(h("li", { className: "day", textContent: dayName(message.time) })); before = null; }
    day = today;
    const first = before !== message.mine;
    const key = JSON.stringify([message, first]);
    const element = kept.get(key) || bubble(message, first, actions);
    element.dataset.drawn = key;
    items.push(element);
    before = message.mine;
  }
  if (!messages.length) items.push(h("li", { className: "empty", textContent: `Write to ${business()?.name ?? "the business"}. The webhook gets your message as Meta would deliver it.` }));
  if (chat.typing) items.push(h("li", { className: "bubble theirs typing-bubble", "aria-label": "typing" }, h("i"), h("i"), h("i")));
  list.replaceChildren(...items);
  following = atEnd || (grown && messages.at(-1)?.mine);
  if (following) list.scrollTop = list.scrollHeight;
  head(chat);
  trouble(chat.trouble ? `The last reaction, edit or deletion wasn't delivered. ${chat.trouble}` : "");
}

function head(chat) {
  const number = business();
  $("business-name").textContent = number?.name ?? "Choose a business";
  $("business-avatar").textContent = initials(number?.name ?? "?");
  const presence = $("presence");
  presence.textContent = chat.typing ? "typing…" : chat.window_closed ? "24-hour window closed" : number?.display ?? "";
  presence.classList.toggle("typing", chat.typing);
  const name = state.people.customers.find((c) => c.id === state.customer)?.name ?? "";
  document.title = `${name} · ${number?.name ?? "Sandbox"}`;
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

function dayName(iso) {
  const date = new Date(iso);
  return date.toDateString() === new Date().toDateString() ? "Today" : date.toLocaleDateString([], { dateStyle: "medium" });
}

function jump(wamid) {
  const element = document.querySelector(`[data-wamid="${CSS.escape(wamid)}"]`);
  if (!element) return;
  element.scrollIntoView({ block: "center" });
  element.classList.remove("flash");
  requestAnimationFrame(() => element.classList.add("flash"));
}
