// Business numbers and customers: choose, add, change.
import { get, post } from "./api.js";
import { ask, tell } from "./dialogs.js";
import { $, h, initials } from "./dom.js";
import { chatPath, choose, me, onChange, state } from "./state.js";

const EVERY = 3000;
let drawn = "";
let shown = 0; // the customer that was scrolled into view

export async function load() {
  try {
    state.people = await get("phone/people");
    if (!state.people.numbers.some((n) => n.id === state.number) || !me()) {
      choose(state.number || state.people.numbers[0]?.id || "", me() ? state.customer : state.people.customers[0]?.id ?? 0);
    }
    draw();
    // You can only write once a number and a customer are chosen.
    $("controls").disabled = !chatPath();
  } catch { /* the chat shows it */ }
}

function draw() {
  const picture = JSON.stringify([state.people, state.number, state.customer]);
  if (picture === drawn) return;
  drawn = picture;
  $("number").replaceChildren(...state.people.numbers.map((n) => h("option", { value: n.id, textContent: `${n.name} · ${n.id}`, selected: n.id === state.number })));
  $("customers").replaceChildren(...sorted().map(row));
  if (shown !== state.customer) $("customers").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  shown = state.customer;
}

// Those who haven't written yet first, the newest on top, then by their newest message with this business.
function sorted() {
  const chats = state.people.chats.filter((chat) => chat.number === state.number);
  const recent = new Map(chats.map((chat, place) => [chat.customer, place]));
  const place = (c) => recent.get(c.id) ?? -c.id;
  return [...state.people.customers].sort((a, b) => place(a) - place(b));
}

function row(customer) {
  const chat = state.people.chats.find((c) => c.number === state.number && c.customer === customer.id);
  const known = customer.hides_phone ? `@${customer.username || customer.user_id}` : `+${customer.phone}`;
  return h("li", {}, h("button", { type: "button", "aria-current": String(customer.id === state.customer), onclick: () => { choose(state.number, customer.id); close(); } },
    h("span", { className: "avatar", "aria-hidden": "true", textContent: initials(customer.name) }),
    h("span", { className: "who" }, h("span", { textContent: customer.name }), h("small", { textContent: chat?.last || known })),
    chat?.unread && customer.id !== state.customer ? h("span", { className: "badge", textContent: chat.unread, "aria-label": `${chat.unread} unread` }) : null));
}

const close = () => document.querySelectorAll(".panel.open").forEach((panel) => panel.classList.remove("open"));

function addCustomer() {
  ask("New customer", {
    name: { label: "Name", required: true }, phone: { label: "Phone number", type: "tel", placeholder: "+1 555 123 4567" },
    username: { label: "Username", placeholder: "milo", help: "Without a phone number, businesses know this customer only by the user ID." },
    hides_phone: { label: "Hide the phone number from businesses", type: "checkbox" },
  }, "Add", async (values) => { const made = await post("phone/customers", values); await load(); choose(state.number, made.id); });
}

function addNumber() {
  ask("Business number", {
    phone_number_id: { label: "Phone number ID", required: true, help: "The ID that the bot is configured with. If it exists already, the number is changed." },
    name: { label: "Name", placeholder: "Harbour Bakery" },
    app_secret: { label: "App secret", placeholder: "from the settings", help: "Signs this number's webhooks." },
    access_token: { label: "Access token", placeholder: "any token" },
  }, "Save", async (values) => { const made = await post("phone/numbers", values); await load(); choose(made.id, state.customer); });
}

function aboutMe() {
  const customer = me();
  if (!customer) return;
  const pairs = [["Name", customer.name], ["Phone", customer.phone ? `+${customer.phone}${customer.hides_phone ? " (hidden)" : ""}` : "none"], ["Username", customer.username ? `@${customer.username}` : "none"], ["User ID", customer.user_id]];
  tell("You are", pairs, customer.phone ? [["Change number", () => changeNumber(customer)]] : []);
}

function changeNumber(customer) {
  ask("New phone number", { phone: { label: "Phone number", type: "tel", required: true, help: "Every business you've written to gets a system message." } }, "Change",
    async (values) => { await post(`phone/customers/${customer.id}/number`, values); await load(); });
}

export function start() {
  $("number").addEventListener("change", (event) => choose(event.target.value, state.customer));
  $("add-customer").addEventListener("click", addCustomer);
  $("add-number").addEventListener("click", addNumber);
  $("me-menu").addEventListener("click", aboutMe);
  document.querySelectorAll("[data-open]").forEach((b) => b.addEventListener("click", () => $(b.dataset.open).classList.add("open")));
  document.querySelectorAll("[data-close]").forEach((b) => b.addEventListener("click", close));
  onChange(draw);
  setInterval(() => document.hidden || load(), EVERY);
}
