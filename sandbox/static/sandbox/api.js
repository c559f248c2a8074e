// Requests to the sandbox. A failed request throws an Error whose message can be shown.
const BASE = new URL("./", location.href).pathname;

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || `The sandbox answered with status ${response.status}.`);
  return body;
}

export const get = async (path) => answer(await fetch(BASE + path));

export const send = async (method, path, body) =>
  answer(await fetch(BASE + path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

export const post = (path, body = {}) => send("POST", path, body);

export const remove = async (path) => answer(await fetch(BASE + path, { method: "DELETE" }));

export async function upload(number, blob, filename, spoken = "") {
  const path = `${BASE}phone/${encodeURIComponent(number)}/files?${new URLSearchParams({ filename, spoken })}`;
  const headers = { "Content-Type": "application/octet-stream", "X-File-Type": blob.type || "application/octet-stream" };
  return (await answer(await fetch(path, { method: "POST", headers, body: blob }))).media_id;
}
