// Who uses the phone in this tab. It's in the URL, so that each tab is a separate phone.
export const state = { number: "", customer: 0, people: { numbers: [], customers: [], chats: [] } };

const listeners = [];
export const onChange = (listener) => listeners.push(listener);

export function read() {
  const [number, customer] = location.hash.slice(1).split("/").map(decodeURIComponent);
  state.number = number || "";
  state.customer = Number(customer) || 0;
}

export function choose(number, customer) {
  state.number = number;
  state.customer = customer;
  history.replaceState(null, "", `#${encodeURIComponent(number)}/${customer}`);
  listeners.forEach((listener) => listener());
}

export const me = () => state.people.customers.find((c) => c.id === state.customer);
export const business = () => state.people.numbers.find((n) => n.id === state.number);

export function chatPath() {
  const customer = me();
  if (!customer || !state.number) return null;
  return `phone/${encodeURIComponent(state.number)}/${encodeURIComponent(customer.user_id)}`;
}
