// While the model thinks: one question at a time, and the seconds that passed.
document.getElementById("try-form").addEventListener("submit", (event) => {
    const began = Date.now();
    const wait = document.getElementById("try-wait");
    event.target.querySelector("button").disabled = true;
    wait.textContent = "The model is asked…";
    setInterval(() => { wait.textContent = `The model is asked… ${Math.round((Date.now() - began) / 1000)} s`; }, 1000);
});
