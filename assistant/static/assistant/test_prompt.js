// While the model answers: block a second click and show the seconds.
document.getElementById("test-prompt").addEventListener("submit", (event) => {
    const started = Date.now();
    const progress = document.getElementById("test-prompt-progress");
    event.target.querySelector("button").disabled = true;
    progress.textContent = "Waiting for the model…";
    setInterval(() => { progress.textContent = `Waiting for the model… ${Math.round((Date.now() - started) / 1000)} s`; }, 1000);
});
