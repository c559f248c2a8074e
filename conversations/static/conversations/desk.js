// The conversation page: scrolling, character counts, Ctrl+Enter to send, drafts and confirmations.
(() => {
    "use strict";

    const atBottom = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;

    function followNewest(box) {
        box.scrollTop = box.scrollHeight;
        let follow = true;
        document.body.addEventListener("htmx:beforeSwap", () => { follow = atBottom(box); });
        document.body.addEventListener("htmx:afterSwap", (event) => {
            if (event.detail.target.id === "newest" && follow) box.scrollTop = box.scrollHeight;
        });
    }

    function countAndSend(text) {
        const count = text.form.querySelector(".desk-count");
        const show = () => { count.textContent = `${text.value.length} / ${text.maxLength}`; };
        text.addEventListener("input", show);
        text.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
        });
        show();
    }

    // Keep a draft when the page reloads, for example because someone took over or the reply was refused.
    function keepDraft(text) {
        const name = `draft of ${location.pathname}`;
        if (location.hash === "#sent") {
            sessionStorage.removeItem(name);
            history.replaceState(null, "", location.pathname);
        }
        text.value ||= sessionStorage.getItem(name) ?? "";
        text.addEventListener("input", () => sessionStorage.setItem(name, text.value));
    }

    document.addEventListener("submit", (event) => {
        const question = event.target.dataset.confirm;
        if (question && !window.confirm(question)) { event.preventDefault(); return; }
        // A double click must not send twice.
        if (event.target.closest(".desk")) {
            if (event.target.dataset.sent) event.preventDefault();
            event.target.dataset.sent = "yes";
        }
    });

    // Unfold's listener expects a text field next to every file field; there is none here.
    document.addEventListener("change", (event) => {
        if (event.target.closest(".desk-attach")) event.stopImmediatePropagation();
    }, true);

    document.addEventListener("DOMContentLoaded", () => {
        const box = document.getElementById("transcript");
        if (box) followNewest(box);
        const reply = document.getElementById("reply-text");
        if (reply) keepDraft(reply);
        document.querySelectorAll(".desk-reply textarea").forEach(countAndSend);
    });
})();
