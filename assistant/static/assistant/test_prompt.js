// While the model answers: block a second click and show the seconds.
for (const name of ["test-prompt", "test-endpoint"]) {
    document.getElementById(name).addEventListener("submit", (event) => {
        if (event.submitter?.name === "save") return;
        const started = Date.now();
        const progress = document.getElementById(`${name}-progress`);
        event.submitter.disabled = true;
        progress.textContent = "Waiting for the model…";
        setInterval(() => { progress.textContent = `Waiting for the model… ${Math.round((Date.now() - started) / 1000)} s`; }, 1000);
    });
}
