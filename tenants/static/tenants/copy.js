// Copies a secret that is shown once.
document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copies);
    try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
    } catch { // without https, there's no clipboard
        getSelection().selectAllChildren(source);
        button.textContent = "Selected: now copy it";
    }
});
