// “My notifications”: asks the browser for permission when a button is pressed, and subscribes this device to push.
(() => {
    "use strict";

    const byId = (id) => document.getElementById(id);
    const page = byId("mine");
    const say = (id, text) => { byId(id).textContent = text; };
    const INSECURE = "Your browser allows this only over HTTPS.";
    const DENIED = "Your browser blocks notifications from this site. Allow them in its site settings, then reload this page.";

    // --- desktop ---

    function showDesktop() {
        const state = window.Notification?.permission;
        byId("desktop-allow").hidden = state !== "default";
        say("desktop-state", !window.isSecureContext ? INSECURE
            : !state ? "This browser has no desktop notifications. On a phone, add Parley to your home screen first."
            : state === "denied" ? DENIED
            : state === "granted" ? "Desktop notifications are on in this browser."
            : "Desktop notifications are off in this browser.");
    }

    byId("desktop-allow").addEventListener("click", async () => {
        await Notification.requestPermission();
        showDesktop();
    });

    byId("desktop-test").addEventListener("click", async () => {
        Notify.ring();
        if (window.Notification?.permission === "granted") {
            await Notify.show({ title: "Test", text: "Notifications reach you here.", path: location.pathname, tag: "test" });
        } else showDesktop();
    });

    // --- push ---

    const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const words = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

    async function subscribe() {
        if (!window.isSecureContext) throw new Error(INSECURE);
        if (!navigator.serviceWorker || !window.PushManager) throw new Error("This browser can’t receive push messages. On a phone, add Parley to your home screen first.");
        if (await Notification.requestPermission() !== "granted") throw new Error(DENIED);
        await navigator.serviceWorker.register(page.dataset.worker, { scope: page.dataset.scope });
        const registration = await navigator.serviceWorker.getRegistration(page.dataset.scope);
        // Ready is about this page, which is within the scope.
        await navigator.serviceWorker.ready;
        const wanted = { userVisibleOnly: true, applicationServerKey: bytes(page.dataset.key) };
        let made;
        try {
            made = await registration.pushManager.subscribe(wanted);
        } catch (error) {
            if (error.name !== "InvalidStateError") throw new Error(`The browser’s push service refused: ${error.message}`);
            // It was subscribed with another key, such as that of an earlier installation.
            await (await registration.pushManager.getSubscription())?.unsubscribe();
            made = await registration.pushManager.subscribe(wanted);
        }
        const data = new FormData(document.querySelector("#mine form"));
        const body = new URLSearchParams({
            csrfmiddlewaretoken: data.get("csrfmiddlewaretoken"),
            endpoint: made.endpoint,
            public_key: words(made.getKey("p256dh")),
            auth_secret: words(made.getKey("auth")),
        });
        const response = await fetch(byId("push-on").dataset.url, { method: "POST", body, credentials: "same-origin" });
        if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error ?? "The server didn’t accept this device. Reload the page.");
    }

    byId("push-on").addEventListener("click", async (event) => {
        const button = event.target;
        button.disabled = true;
        say("push-state", "Turning on…");
        try {
            await subscribe();
            location.reload();
        } catch (error) {
            say("push-state", error.message);
            button.disabled = false;
        }
    });

    for (const form of document.querySelectorAll(".mine-test")) {
        form.addEventListener("submit", () => {
            const button = form.querySelector("button");
            button.disabled = true;
            button.textContent = "Sending…";
        });
    }

    showDesktop();
})();
