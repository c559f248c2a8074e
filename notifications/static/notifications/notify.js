// Notifications in an open inbox: the count in the tab's title and icon, a sound, and a desktop notification.
window.Notify = (() => {
    "use strict";

    const NEWEST = "newest notification"; // in local storage: what this browser has announced, in whichever tab
    const MOST_AT_ONCE = 3;
    let count = 0, audio = null, icon = null, original = "";

    // --- the title and the icon ---

    function rename(title) {
        document.title = count ? `(${count}) ${title}` : title;
    }

    function mark(number) {
        const title = document.title.replace(/^\(\d+\) /, "");
        count = number;
        rename(title);
        navigator.setAppBadge?.(number).catch(() => {});
        icon ??= document.querySelector("link[rel=icon]");
        if (!icon) return;
        original ||= icon.href;
        if (!number) return void (icon.href = original);
        const image = new Image();
        image.onload = () => {
            const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
            const drawing = canvas.getContext("2d");
            drawing.drawImage(image, 0, 0, 64, 64);
            drawing.fillStyle = "#dc2626";
            drawing.beginPath();
            drawing.arc(44, 20, 20, 0, 2 * Math.PI);
            drawing.fill();
            drawing.fillStyle = "#fff";
            drawing.font = "bold 28px sans-serif";
            drawing.textAlign = "center";
            drawing.textBaseline = "middle";
            drawing.fillText(number > 9 ? "9+" : number, 44, 21);
            if (count === number) icon.href = canvas.toDataURL("image/png");
        };
        image.src = original;
    }

    // --- the sound and the desktop notification ---

    async function ring() {
        audio ??= new AudioContext();
        // Until someone has clicked or typed in the page, browsers keep it silent.
        if (audio.state === "suspended") await audio.resume();
        [880, 1175].forEach((pitch, index) => {
            const tone = audio.createOscillator(), volume = audio.createGain(), start = audio.currentTime + index * .16;
            tone.frequency.value = pitch;
            volume.gain.setValueAtTime(.0001, start);
            volume.gain.exponentialRampToValueAtTime(.25, start + .02);
            volume.gain.exponentialRampToValueAtTime(.0001, start + .3);
            tone.connect(volume).connect(audio.destination);
            tone.start(start);
            tone.stop(start + .32);
        });
    }

    const registration = async () => navigator.serviceWorker?.getRegistration("/admin/");
    const hasPush = async () => Boolean(await (await registration())?.pushManager?.getSubscription());

    async function show({ title, text, path, tag }) {
        const options = { body: text, tag, icon: original, data: { path } };
        try {
            const shown = new Notification(title, options);
            shown.onclick = () => {
                window.focus();
                shown.close();
                location.assign(path);
            };
        } catch { // on a phone, only a service worker can
            await (await registration())?.showNotification(title, options);
        }
    }

    const isInFront = ({ path }) => document.hasFocus() && location.pathname === path;

    async function announce(items, sound) {
        const last = Number(localStorage.getItem(NEWEST));
        const fresh = items.filter((item) => item.id > last);
        if (!fresh.length) return;
        localStorage.setItem(NEWEST, fresh[0].id);
        const elsewhere = fresh.filter((item) => !isInFront(item));
        if (sound && elsewhere.length) ring();
        if (window.Notification?.permission !== "granted" || await hasPush()) return;
        for (const item of elsewhere.slice(0, MOST_AT_ONCE).reverse()) show(item);
    }

    // state: {count, sound, items}, the newest item first. What was there when the page opened is only counted.
    function told(state, isFirst = false) {
        mark(state.count);
        if (isFirst) {
            const newest = Math.max(state.items[0]?.id ?? 0, Number(localStorage.getItem(NEWEST)));
            return localStorage.setItem(NEWEST, newest);
        }
        // One tab of several announces it.
        const work = () => announce(state.items, state.sound);
        return navigator.locks ? navigator.locks.request("announcing", work) : work();
    }

    // --- while the tab is hidden ---

    // Browsers slow down the timers of hidden tabs, but not those of workers. One tab of each browser keeps asking.
    function whileHidden(tick, work) {
        const begin = () => {
            new Worker(tick).onmessage = () => { if (document.visibilityState === "hidden") work(); };
            return new Promise(() => {});
        };
        if (navigator.locks) navigator.locks.request("asking while hidden", begin);
        else begin();
    }

    return { rename, ring, show, told, whileHidden };
})();
