// The inbox: live updates, opening conversations and sending without loading a page, and keys.
(() => {
    "use strict";

    const EVERY = 1750; // milliseconds between polls: an update arrives within two seconds
    const AFTER_A_PROBLEM = 5000;
    const TYPED = "input:not([type=checkbox], [type=radio]), textarea, select";
    const byId = (id) => document.getElementById(id);
    const rows = () => [...document.querySelectorAll("#inbox-rows a")];
    let inbox, version, polling, timer;
    let waiting = 0; // requests under way, other than polls
    let position = 0; // in the list, of the open conversation; also after it has left the list

    const base = () => inbox.dataset.base;
    const isOpen = (url) => /\/(\d+)\/change\/$/.exec(url.pathname)?.[1] ?? "";
    // The pages of older messages don't change.
    const openNow = () => new URLSearchParams(location.search).has("before") ? "" : isOpen(location);
    const liveUrl = (url) => `${base()}${isOpen(url) ? `${isOpen(url)}/` : ""}live/${url.search}`;
    const seenParts = () => version.replaceAll('"', "").split(".");
    const ofInbox = (url) => url.origin === location.origin
        && (url.pathname === base() || (url.pathname.startsWith(base()) && isOpen(url)))
        && !url.searchParams.has("before") && !url.searchParams.has("details");

    // --- asking the server ---

    function banner(text, link) {
        const box = byId("inbox-banner");
        if (box.textContent === (text ?? "") + (link ?? "")) return;
        box.hidden = !text;
        box.replaceChildren(text ?? "");
        if (link) {
            const login = Object.assign(document.createElement("a"), { href: inbox.dataset.login, target: "_blank", textContent: link });
            login.className = "desk-link";
            box.append(login);
        }
    }

    // JSON, null if nothing has changed, or undefined after a problem, which the banner explains.
    async function ask(url, options = {}) {
        let response;
        try {
            const headers = { Accept: "application/json", ...(document.hasFocus() && { "X-Focused": "1" }), ...options.headers };
            response = await fetch(url, { credentials: "same-origin", redirect: "manual", ...options, headers });
        } catch (error) {
            if (error.name !== "AbortError") banner("Can’t reach the server. Trying again… Your text is kept.");
            return undefined;
        }
        if (response.type === "opaqueredirect") banner("Your session has expired. Your text is kept. ", "Log in in a new tab");
        else if (response.status === 403) banner("You no longer have access. Reload the page.");
        else if (response.status === 404) banner("This conversation no longer exists.");
        else if (!response.ok && response.status !== 304) banner("Something went wrong on the server. Trying again… Your text is kept.");
        else {
            banner();
            return response.status === 304 ? null : response.json();
        }
        return undefined;
    }

    function take(answer) {
        version = answer.version;
        if (answer.told) Notify.told(answer.told);
        Desk.apply(answer.parts);
        Desk.notice(answer.notices ?? []);
        markOpen();
    }

    function markOpen() {
        const open = isOpen(location);
        rows().forEach((row, index) => {
            if (row.dataset.pk !== open) return row.removeAttribute("aria-current");
            row.setAttribute("aria-current", "true");
            if (byId("writing-reply")) row.querySelector(".inbox-unread")?.remove(); // someone who can reply has now read it
            position = index;
        });
    }

    async function poll() {
        clearTimeout(timer);
        let answer = null;
        if (!waiting && document.visibilityState === "visible") {
            polling = new AbortController();
            const asked = version;
            answer = await ask(liveUrl(new URL(location)), { headers: { "If-None-Match": asked }, signal: polling.signal });
            if (answer && asked === version && !waiting) {
                version = answer.version;
                if (answer.told) Notify.told(answer.told);
                Desk.apply(answer.parts);
                markOpen();
            }
        }
        clearTimeout(timer);
        timer = setTimeout(poll, answer === undefined && !polling.signal.aborted ? AFTER_A_PROBLEM : EVERY);
    }

    // A hidden tab asks for the list alone: what's open in it isn't read by anyone.
    async function pollHidden() {
        if (waiting) return;
        const asked = version, [list, open, since, told] = seenParts();
        const answer = await ask(`${base()}live/${location.search}`, { headers: { "If-None-Match": `"${list}...${told}"` } });
        if (!answer || asked !== version) return;
        const [newList, , , newTold] = answer.version.replaceAll('"', "").split(".");
        version = `"${newList}.${open}.${since}.${newTold}"`;
        if (answer.told) Notify.told(answer.told);
        Desk.apply(answer.parts);
        markOpen();
    }

    // A poll that began earlier would bring back what was there before.
    async function meanwhile(work) {
        polling?.abort();
        waiting += 1;
        try { return await work(); } finally { waiting -= 1; }
    }

    // --- opening conversations and lists ---

    async function go(url, { push = true, focus = "" } = {}) {
        const [list, open, since, told] = seenParts();
        const sameList = url.search === location.search, samePane = isOpen(url) === openNow();
        const known = `"${sameList ? list : ""}.${samePane ? `${open}.${since}` : "."}.${told}"`;
        const found = await meanwhile(() => ask(liveUrl(url), { headers: { "If-None-Match": known } }));
        if (found === undefined) return;
        const answer = found ?? { version: known, parts: {}, title: "Conversations | Parley" };
        if (push) history.pushState(null, "", url);
        if (!isOpen(url) && !samePane) {
            inbox.removeAttribute("data-open");
            byId("pane").replaceChildren(...Desk.inPage('<p class="desk-empty">Select a conversation to read it here.</p>'));
        }
        if (isOpen(url)) inbox.dataset.open = isOpen(url); // on a phone, it takes the list's place
        Notify.rename(answer.title);
        take(answer);
        if (samePane && url.hash) Desk.aim();
        if (focus === "reply") (byId("reply-text") ?? byId("transcript"))?.focus();
        else if (focus === "row") byId(`open-${isOpen(url)}`)?.focus();
        byId(`open-${isOpen(url)}`)?.scrollIntoView({ block: "nearest" });
    }

    async function older(link) {
        const response = await fetch(link.dataset.older, { redirect: "manual" });
        if (!response.ok) return void ask(liveUrl(new URL(location)));
        const box = byId("transcript"), fromEnd = box.scrollHeight - box.scrollTop;
        link.closest(".desk-older").replaceWith(...Desk.inPage(await response.text()));
        box.scrollTop = box.scrollHeight - fromEnd;
    }

    document.addEventListener("click", (event) => {
        const link = event.target.closest("#inbox a");
        if (event.target.id === "inbox-help") byId("inbox-keys").showModal();
        if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
        if (link.dataset.older) {
            event.preventDefault();
            older(link);
        } else if (ofInbox(new URL(link.href))) {
            event.preventDefault();
            go(new URL(link.href), { focus: link.closest("#inbox-rows") ? "row" : "" });
        }
    });

    window.addEventListener("popstate", () => go(new URL(location), { push: false }));

    // --- forms ---

    async function submit(form, submitter) {
        const data = new FormData(form, submitter);
        // Logging in again in another tab has changed the token.
        const token = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];
        if (token) data.set("csrfmiddlewaretoken", token);
        data.set("version", version);
        Desk.sending(form);
        const answer = await meanwhile(() => ask(form.action, { method: "POST", body: data }));
        if (!answer) return;
        const sent = answer.sent ? (data.get("text") ?? "") : null;
        Desk.answered(form, answer.form_token, sent); // before a new composer takes the draft over
        take(answer);
    }

    function search(form) {
        const url = new URL(location);
        url.searchParams.set("q", form.elements.q.value);
        url.searchParams.delete("p");
        if (!form.elements.q.value) url.searchParams.delete("q");
        go(url);
    }

    document.addEventListener("submit", async (event) => {
        const form = event.target;
        if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) return event.preventDefault();
        if (!form.closest("#inbox")) return;
        event.preventDefault();
        if (form.id === "inbox-search") return search(form);
        if (form.dataset.busy) return; // a double click must not send twice
        form.dataset.busy = "yes";
        try { await submit(form, event.submitter); } finally { delete form.dataset.busy; }
    });

    document.addEventListener("change", (event) => {
        if (event.target.id === "inbox-select-all") {
            for (const box of document.querySelectorAll("#inbox-rows [type=checkbox]")) box.checked = event.target.checked;
        }
        if (event.target.id === "enter-sends") {
            const form = Object.assign(document.createElement("form"), { action: inbox.dataset.preferences });
            if (event.target.checked) form.append(Object.assign(document.createElement("input"), { name: "enter_sends", value: "on" }));
            submit(form);
        }
    });

    // --- keys ---

    function move(step, focus) {
        const all = rows(), current = all.findIndex((row) => row.hasAttribute("aria-current"));
        // The open conversation may have left the list: then the next one has its place.
        const next = current >= 0 ? current + step : isOpen(location) ? position + Math.min(step, 0) : 0;
        const row = all[Math.max(0, Math.min(next, all.length - 1))];
        if (row && row !== all[current]) go(new URL(row.href), { focus });
    }

    function reply() {
        const text = byId("reply-text");
        if (!text) return;
        byId("writing-reply").checked = true;
        text.focus();
    }

    const KEYS = {
        j: () => move(1, "row"),
        k: () => move(-1, "row"),
        r: reply,
        h: () => byId("conversations_hand_back")?.click(),
        m: () => byId("conversations_clear_needs_person")?.click(),
        "/": () => byId("searchbar").focus(),
        "?": () => byId("inbox-keys").showModal(),
    };

    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.isComposing || byId("inbox-keys")?.open) return;
        const isTyping = event.target.matches(TYPED);
        if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
            event.preventDefault();
            move(event.key === "ArrowDown" ? 1 : -1, event.target.closest(".desk-reply") ? "reply" : "row");
        } else if (isTyping && event.key === "Escape") {
            (byId(`open-${isOpen(location)}`) ?? rows()[Math.min(position, rows().length - 1)] ?? byId("transcript"))?.focus();
        } else if (!isTyping && !event.altKey && KEYS[event.key]) {
            event.preventDefault();
            KEYS[event.key]();
        }
    });

    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") poll(); });

    document.addEventListener("DOMContentLoaded", () => {
        inbox = byId("inbox");
        if (!inbox) return;
        version = inbox.dataset.version;
        for (const id of ["inbox-causes", "inbox-tabs", "inbox-rows", "inbox-foot"]) Desk.remember(byId(id));
        Desk.begin();
        markOpen();
        Notify.told(JSON.parse(inbox.dataset.told), true);
        Notify.whileHidden(inbox.dataset.tick, pollHidden);
        timer = setTimeout(poll, EVERY);
    });
})();
