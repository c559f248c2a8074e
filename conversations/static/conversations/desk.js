// What a conversation needs while it's open: parts that change, drafts, character counts and scrolling.
window.Desk = (() => {
    "use strict";

    const served = new WeakMap(); // element -> its HTML as the server sent it
    const byId = (id) => document.getElementById(id);
    const inPage = (html) => {
        const template = document.createElement("template");
        template.innerHTML = html;
        return [...template.content.children];
    };

    function remember(box) {
        for (const child of box?.children ?? []) served.set(child, child.outerHTML);
    }

    // Replace only the children that changed: a playing voice note, an open detail and the focus stay where they are.
    function merge(box, html) {
        const active = box.contains(document.activeElement) ? document.activeElement : null;
        const place = [...box.children].findIndex((child) => child.contains(active));
        const checked = [...box.querySelectorAll("input:checked")].map((input) => input.id);
        const former = new Map([...box.children].filter((child) => child.id).map((child) => [child.id, child]));
        const wanted = inPage(html).map((fresh) => {
            const kept = former.get(fresh.id), text = fresh.outerHTML;
            const child = kept && served.get(kept) === text ? kept : fresh;
            served.set(child, text);
            return child;
        });
        const staying = new Set(wanted);
        for (const child of [...box.children]) if (!staying.has(child)) child.remove();
        wanted.forEach((child, index) => {
            if (box.children[index] !== child) box.insertBefore(child, box.children[index] ?? null);
        });
        for (const id of checked) if (byId(id)) byId(id).checked = true;
        if (active && !active.isConnected) {
            const near = box.children[Math.min(place, box.children.length - 1)];
            (byId(active.id || "-") ?? near?.querySelector("a, button, input, textarea"))?.focus({ preventScroll: true });
        }
    }

    // --- the transcript ---

    let follow = true; // stay at the newest message
    const transcript = () => byId("transcript");
    const toEnd = () => { const box = transcript(); if (box && follow) box.scrollTop = box.scrollHeight; };

    document.addEventListener("scroll", (event) => {
        const box = event.target;
        if (box === transcript()) follow = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    }, true);
    // An image has no height until it's loaded, and a font changes the height of everything.
    const grown = new ResizeObserver(toEnd);

    // --- the composer ---

    const draftName = (text) => `draft of ${text.form.getAttribute("action").split("?")[0]}`;
    // While nobody knows whether a form has arrived, its token is kept: then it can be submitted again.
    const tokenName = (form) => `token of ${form.getAttribute("action").split("?")[0]}`;

    function count(text) {
        text.form.querySelector(".desk-count").textContent = `${text.value.length} / ${text.maxLength}`;
    }

    function startWriting() {
        for (const text of document.querySelectorAll(".desk-reply textarea")) {
            text.value ||= sessionStorage.getItem(draftName(text)) ?? "";
            text.form.elements.form_token.value = sessionStorage.getItem(tokenName(text.form)) ?? text.form.elements.form_token.value;
            count(text);
        }
    }

    document.addEventListener("input", (event) => {
        if (!event.target.matches(".desk-reply textarea")) return;
        sessionStorage.setItem(draftName(event.target), event.target.value);
        count(event.target);
    });

    document.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.isComposing || !event.target.matches(".desk-reply textarea")) return;
        const sends = event.ctrlKey || event.metaKey || (byId("enter-sends")?.checked && !event.shiftKey && !event.altKey);
        if (!sends) return;
        event.preventDefault();
        event.target.form.requestSubmit();
    });

    // Unfold's listener expects a text field next to every file field; there is none here.
    document.addEventListener("change", (event) => {
        if (event.target.closest(".desk-attach")) event.stopImmediatePropagation();
    }, true);

    function sending(form) {
        if (form.elements.form_token) sessionStorage.setItem(tokenName(form), form.elements.form_token.value);
    }

    // Keeps what was written while the message was on its way. sent: its text, or null if it wasn't sent.
    function answered(form, token, sent) {
        if (!token) return;
        sessionStorage.removeItem(tokenName(form));
        // The answer to another button may have replaced the composer meanwhile.
        const same = (each) => each.getAttribute("action") === form.getAttribute("action");
        const current = [...document.querySelectorAll(".desk-reply")].find(same) ?? form;
        current.elements.form_token.value = token;
        if (sent === null) return;
        sessionStorage.removeItem(draftName(form.querySelector("textarea")));
        const text = current.querySelector("textarea"), file = current.querySelector("[type=file]");
        if (!text) return; // no further reply is possible
        text.value = text.value.startsWith(sent) ? text.value.slice(sent.length).trimStart() : text.value;
        sessionStorage.setItem(draftName(text), text.value);
        if (file) file.value = "";
        count(text);
    }

    function replaceComposer(box, html) {
        const [fresh] = inPage(html);
        if (byId("desk-write")?.dataset.state === fresh.dataset.state) return;
        const writesNote = byId("writing-note")?.checked;
        const focused = box.contains(document.activeElement) ? document.activeElement.id : "";
        const file = box.querySelector("[type=file]");
        box.replaceChildren(fresh);
        if (writesNote) byId("writing-note").checked = true;
        const field = fresh.querySelector("[type=file]");
        if (file && field) field.replaceWith(file);
        startWriting();
        if (focused) byId(focused)?.focus();
    }

    // --- parts ---

    function apply(parts) {
        for (const [id, html] of Object.entries(parts)) {
            const box = byId(id);
            if (!box) continue;
            if (id === "composer") replaceComposer(box, html);
            else if (id === "pane") {
                box.innerHTML = html;
                begin();
            } else merge(box, html);
        }
        toEnd();
    }

    function notice(notices) {
        const box = byId("desk-notices");
        box?.replaceChildren(...notices.map(({ level, text }) => {
            const line = document.createElement("p");
            line.className = `desk-notice desk-notice-${level}`;
            line.textContent = text;
            return line;
        }));
    }

    // The newest message, or the one that the URL names.
    function aim() {
        const aimed = location.hash.startsWith("#message-") && byId(location.hash.slice(1));
        follow = !aimed;
        if (aimed) aimed.scrollIntoView({ block: "center" });
        else toEnd();
    }

    function begin() {
        grown.disconnect();
        for (const part of [byId("newest"), transcript()]) if (part) grown.observe(part);
        remember(byId("newest"));
        startWriting();
        aim();
    }

    return { aim, answered, apply, begin, merge, notice, remember, sending, inPage };
})();
