// While sources are being read: show how far they are. When all on the page are done, show what was found.
const STATUS_URL = document.currentScript.dataset.url;
const POLL_MS = 2000;

function openIds() {
    return [...document.querySelectorAll("[data-source][data-open]")].map((status) => status.dataset.source);
}

function isUntouched() {
    return [...document.querySelectorAll("form input:not(#action-toggle), form textarea")].every(
        (field) => field.type === "hidden" || (field.value === field.defaultValue && field.checked === field.defaultChecked),
    );
}

async function poll() {
    const ids = openIds();
    if (!ids.length) return;
    if (!document.hidden) {
        try {
            const answer = await fetch(`${STATUS_URL}?${ids.map((id) => `id=${id}`).join("&")}`, { credentials: "same-origin" });
            if (answer.redirected || !answer.ok) return;
            for (const [id, html] of Object.entries(await answer.json())) {
                for (const status of document.querySelectorAll(`[data-source="${id}"]`)) status.outerHTML = html;
            }
            if (!openIds().length && isUntouched()) {
                location.reload();
                return;
            }
        } catch (error) {
            console.warn("The status couldn't be fetched; trying again.", error);
        }
    }
    setTimeout(poll, POLL_MS);
}

// unfold writes a chosen file's name into a text field next to the input. Ours have none, so keep it from trying.
for (const input of document.querySelectorAll("input[type=file]")) input.hasChangeListener = true;
setTimeout(poll, POLL_MS);
