// Keeps the table of a webhook's last deliveries up to date, as long as one of them waits.
document.addEventListener("DOMContentLoaded", () => {
    "use strict";

    const EVERY = 2000; // milliseconds
    const box = document.getElementById("webhook-deliveries");

    async function refresh() {
        if (!box.querySelector("[data-waiting]")) return;
        const response = await fetch(box.dataset.url, { redirect: "manual" }).catch(() => null);
        const html = response?.ok ? await response.text() : "";
        if (html && !box.contains(document.activeElement)) box.innerHTML = html;
        setTimeout(refresh, EVERY);
    }

    if (box) setTimeout(refresh, EVERY);
});
